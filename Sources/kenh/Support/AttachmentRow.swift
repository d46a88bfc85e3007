import Foundation
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhStore

/// A row of the table `attachment`, which anybody may have written with any tool.
struct AttachmentRow {
    let id: String
    let channel: String
    let subjectTable: String
    let subjectID: String
    let name: String
    let type: String
    let size: UInt64
    /// Nil where the row names no SHA-256.
    let hash: Hash256?
    let addedAt: String

    private init(_ row: StoredRow) {
        id = row["id"].string ?? ""
        channel = row["channel"].string ?? ""
        subjectTable = row["subject_table"].string ?? ""
        subjectID = row["subject_id"].string ?? ""
        name = row["name"].string ?? ""
        type = row["type"].string ?? ""
        if case .integer(let size) = row["size"] { self.size = UInt64(clamping: size) } else { size = 0 }
        hash = row["sha256"].string.flatMap { [UInt8](hex: $0) }.flatMap { Hash256(bytes: $0) }
        addedAt = row["added_at"].string ?? ""
    }

    /// Oldest first.
    static func all(_ store: Store) throws -> [AttachmentRow] {
        try store.rows("SELECT * FROM attachment ORDER BY added_at, id").map(AttachmentRow.init)
    }

    /// - Parameter name: an id or a whole SHA-256.
    static func named(_ name: String, in store: Store) throws -> [AttachmentRow] {
        let found = try store.rows(
            "SELECT * FROM attachment WHERE id = ?1 OR sha256 = lower(?1) ORDER BY id <> ?1, id", [.text(name)])
        guard !found.isEmpty else {
            throw Failure(.noInput, "there is no attachment \(name) here; see kenh attachment list, or sync first")
        }
        return found.map(AttachmentRow.init)
    }

    var damaged: Failure { Failure(.badData, "the attachment \(id) names no SHA-256; attach its file again") }

    /// The name as it may stand in a folder: nothing that leads out of it, hides the file or turns its letters round.
    var fileName: String {
        let scalars = name.unicodeScalars.map { scalar -> Character in
            let isSafe =
                scalar != "/" && scalar != "\\" && scalar != ":"
                && ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
            return isSafe ? Character(scalar) : "_"
        }
        var safe = String(scalars.drop { $0 == "." || $0 == " " || $0 == "-" })
        while safe.utf8.count > 200 { safe.removeFirst() }
        return safe.isEmpty ? "attachment-\(hash.map { "\($0)" } ?? "unknown")" : safe
    }
}

/// `TABLE:ID`, as people write which row is meant.
struct RowName {
    let table: String
    let id: String

    init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw Failure(.usage, "“\(text)” names no row; write it like work_item:KH6/01")
        }
        (table, id) = (String(parts[0]), String(parts[1]).precomposedStringWithCanonicalMapping)
    }

    /// The channel of the row.
    ///
    /// - Throws: where there is no such row, or files are not attached to such rows.
    func channel(in transaction: StoreTransaction) throws -> String {
        guard let declared = Programme.schema.table(table), declared.name != "attachment" else {
            let names = Programme.schema.tables.map(\.name).filter { $0 != "attachment" }.joined(separator: ", ")
            throw Failure(.badData, "files are not attached to rows of \(table); choose one of \(names)")
        }
        let row = try transaction.rows("SELECT * FROM \"\(declared.name)\" WHERE id = ?", [.text(id)]).first
        guard let row else {
            throw Failure(.noInput, "there is no \(table) \(id) here; check the id, or sync first")
        }
        switch declared.channel {
        case .constant(let channel): return channel
        case .column(let name): return row[name].string ?? ""
        }
    }
}
