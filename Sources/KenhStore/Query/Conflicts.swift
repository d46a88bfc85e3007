import KenhMerge
import KenhProtocol

/// One value of a conflict, with who wrote it and when.
public struct ConflictValue: Sendable, Equatable {
    public let value: Value
    /// Code of the cell that wrote it.
    public let author: String
    public let officer: String
    /// Effective clock, milliseconds since 1970.
    public let atMilliseconds: Int64
}

/// Something in a row for people to decide.
public struct Conflict: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// Concurrent writes of a column: the table shows `shown`, the losers are kept, best first.
        case values(column: String, shown: ConflictValue, losers: [ConflictValue])
        /// One deleted the row while another edited it: it was kept, and says so until somebody writes or deletes it.
        case keptDespiteDelete(editors: [String])
    }

    public let table: String
    public let id: Value
    public let channel: String
    public let loudness: Loudness
    public let kind: Kind
}

extension Store {
    /// All conflicts that are open here, in order of table and id.
    ///
    /// Concurrent writes of equal values are none, and what was settled here and is not sealed yet is settled. With `includingSilent` false, columns declared silent are left out.
    public func conflicts(table: String? = nil, includingSilent: Bool = true) throws(StoreError) -> [Conflict] {
        try reading { core in
            let reader = try ConflictReader(core: core)
            return try reader.rows(table: table).flatMap { try reader.conflicts($0) }
                .filter { includingSilent || $0.loudness != .silent }
        }
    }

    private func hasConflict(_ table: String, _ id: Value, _ column: String) throws(StoreError) -> Bool {
        try reading { core in
            let reader = try ConflictReader(core: core)
            return try reader.rows(table: table).filter { $0.id == id }.flatMap { try reader.conflicts($0) }.contains {
                if case .values(column, _, _) = $0.kind { true } else { false }
            }
        }
    }

    /// Settles a conflict for everybody: writes `value` having seen all that is kept.
    ///
    /// - Throws: `notFound` where this column has no conflict.
    public func resolve(
        table: String, id: Value, column: String, to value: Value, officer: String? = nil
    ) throws {
        let isOpen = try hasConflict(table, id, column)
        try write(officer: officer) { transaction in
            let numbers = try self.columnNumbers(table, column, transaction)
            let shown = try transaction.rows("SELECT \(quoted(column)) AS v FROM \(quoted(table)) WHERE id = ?", [id])
                .first
            guard isOpen, shown != nil else {
                throw StoreError(
                    .notFound, "\(table).\(column) of \(id) has no conflict", advice: "list them with kenh conflicts")
            }
            let declared = self.schema.table(table)
            let isCounter = declared?.columns[numbers.column].rule == .counter
            guard shown?["v"] == value else {
                let before = try transaction.lastPending()
                try transaction.update(table, id: id, [(column, value)])
                if isCounter { try transaction.makeSet(after: before, numbers.table, id, numbers.column, value) }
                return
            }
            // An update to the shown value would be none: say explicitly that it was chosen.
            try transaction.choose(declared, number: numbers.table, id: id, column: numbers.column, value: value)
        }
    }

    /// Keeps a row that was edited ∥ deleted: inserts it anew as it stands, having seen both.
    public func keep(table: String, id: Value, officer: String? = nil) throws {
        try write(officer: officer) { transaction in
            guard let declared = self.schema.table(table) else { throw Self.noTable(table) }
            let names = declared.allColumnNames.map(quoted).joined(separator: ", ")
            let before = try transaction.pendingCount()
            try transaction.execute(
                "INSERT OR REPLACE INTO \(quoted(table))(\(names)) SELECT \(names) FROM \(quoted(table)) WHERE id = ?",
                [id])
            guard try transaction.pendingCount() > before else {
                throw StoreError(.notFound, "\(table) has no row \(id)", advice: "list them with kenh conflicts")
            }
        }
    }

    private func columnNumbers(
        _ table: String, _ column: String, _ transaction: StoreTransaction
    ) throws(StoreError) -> (table: Int64, column: Int) {
        guard let declared = schema.table(table) else { throw Self.noTable(table) }
        guard let at = declared.columns.firstIndex(where: { $0.name == column }) else {
            throw StoreError(
                .notFound, "\(table) has no column \(column)",
                advice: "its columns are \(declared.columns.map(\.name).joined(separator: ", "))")
        }
        let number = try transaction.rows("SELECT number FROM kenh_table WHERE name = ?", [.text(table)]).first?[
            "number"]
        guard case .integer(let number)? = number else { throw Self.noTable(table) }
        return (number, at)
    }

    static func noTable(_ name: String) -> StoreError {
        StoreError(.notFound, "there is no synced table \(name)", advice: "kenh status lists them")
    }
}

extension StoreTransaction {
    fileprivate func pendingCount() throws(StoreError) -> Int64 {
        guard case .integer(let count)? = try rows("SELECT count(*) AS n FROM kenh_pending").first?["n"] else {
            return 0
        }
        return count
    }

    fileprivate func lastPending() throws(StoreError) -> Value {
        try rows("SELECT coalesce(max(seq), 0) AS n FROM kenh_pending").first?["n"] ?? 0
    }

    /// The trigger took the update of a counter for a difference.
    fileprivate func makeSet(
        after seq: Value, _ table: Int64, _ id: Value, _ column: Int, _ value: Value
    ) throws(StoreError) {
        try execute(
            """
            UPDATE kenh_pending SET kind = \(PendingKind.set.rawValue), v\(column) = ?4
            WHERE seq > ?1 AND tbl = ?2 AND id = ?3 AND kind = 1 AND mask = \(Int64(1) << Int64(column))
            """, [seq, .integer(table), id, value])
    }

    fileprivate func choose(
        _ table: Table?, number: Int64, id: Value, column: Int, value: Value
    ) throws(StoreError) {
        guard let table else { return }
        var channel = "NULL"
        if case .column(let name) = table.channel {
            channel = "(SELECT \(quoted(name)) FROM \(quoted(table.name)) WHERE id = ?2)"
        }
        try execute(
            """
            INSERT INTO kenh_pending(tbl, kind, id, ch, mask, at, v\(column))
            SELECT ?1, \(PendingKind.set.rawValue), ?2, \(channel), \(Int64(1) << Int64(column)), 0, ?3
            WHERE EXISTS (SELECT 1 FROM \(quoted(table.name)) WHERE id = ?2)
            """, [.integer(number), id, value])
    }
}

struct ConflictReader {
    private let core: StoreCore
    /// What was written here and is not sealed yet, by row: declared columns, existence where it was inserted or deleted.
    /// Additions settle nothing and are left out.
    private let pending: [PendingKey: ColumnSet]

    private struct PendingKey: Hashable {
        let table: Int
        let id: Value
    }

    init(core: StoreCore) throws(StoreError) {
        self.core = core
        let read = try core.sql("SELECT tbl, id, kind, mask FROM kenh_pending")
        defer { read.reset() }
        var pending: [PendingKey: ColumnSet] = [:]
        while try read.step() {
            let mask = ColumnSet(rawValue: UInt64(bitPattern: read.int(3)))
            let columns: ColumnSet =
                switch PendingKind(rawValue: read.int(2)) {
                case .update: mask.subtracting(core.catalogue.tables[Int(read.int(0))]?.declaredCounters ?? [])
                case .set: mask
                case .insert, .delete, nil: ColumnSet(rawValue: .max)
                }
            pending[PendingKey(table: Int(read.int(0)), id: read.value(1)), default: []].formUnion(columns)
        }
        self.pending = pending
    }

    struct RowRef {
        let table: LocalTable
        let id: Value
        let channel: Int
    }

    func rows(table: String?) throws(StoreError) -> [RowRef] {
        let read = try core.sql("SELECT tbl, id, ch FROM kenh_conflict ORDER BY tbl, id, ch")
        defer { read.reset() }
        var rows: [RowRef] = []
        while try read.step() {
            guard let found = core.catalogue.tables[Int(read.int(0))], found.declared != nil,
                table == nil || found.name == table
            else { continue }
            rows.append(RowRef(table: found, id: read.value(1), channel: Int(read.int(2))))
        }
        return rows
    }

    func conflicts(_ row: RowRef) throws -> [Conflict] {
        guard let (state, line) = try stateAndLine(row) else { return [] }
        let pending = pending[PendingKey(table: row.table.number, id: row.id)] ?? []
        return try state.conflicts(order: core.index).compactMap { try conflict($0, state, line, row, pending) }
    }

    private func stateAndLine(_ row: RowRef) throws -> (RowState, [Value])? {
        let id = row.id.bytes
        var state = RowState()
        let isShown = try id.withUnsafeBytes { bytes in
            guard let found = try core.rows.load(table: row.table, id: bytes, into: &state) else { return false }
            var states = [found.channel: state]
            for other in found.others { states[other.channel] = other.state }
            state = states[row.channel] ?? RowState()
            return core.shownChannel(states, table: row.table, id: bytes) == row.channel
        }
        // Another channel's row with the same id has the line: there is nothing here for people to see.
        guard isShown, let line = try TableLine(core: core, table: row.table).read(id: id) else { return nil }
        return (state, line)
    }

    private func conflict(
        _ conflict: RowConflict, _ state: RowState, _ line: [Value], _ row: RowRef, _ pending: ColumnSet
    ) throws -> Conflict? {
        switch conflict {
        case .keptDespiteDelete:
            guard !pending.contains(.existence) else { return nil }
            let editors = try state.writes.filter { !$0.isRemoved }.map { try author($0) }
            return Conflict(
                table: row.table.name, id: row.id, channel: core.channels.name(row.channel), loudness: .notify,
                kind: .keptDespiteDelete(editors: Array(Set(editors)).sorted()))
        case .column(let column, let shown, let losers):
            guard row.table.columns.indices.contains(column), let declared = row.table.columns[column].declared,
                let place = row.table.declaredNumbers.firstIndex(of: column), !pending.contains(column: place)
            else { return nil }
            let shownValue = line[place]
            let sum = try sum(column, state, state.writes[shown], shownValue, row)
            let values = losers.map { loser -> Value in
                let value = state.writes[loser].heldValue(column) ?? .null
                return sum.map { .integer(value.counted &+ $0) } ?? value
            }
            let different = losers.indices.filter { values[$0] != shownValue }
            guard !different.isEmpty else { return nil }
            return Conflict(
                table: row.table.name, id: row.id, channel: core.channels.name(row.channel),
                loudness: declared.loudness,
                kind: .values(
                    column: declared.name, shown: try value(state.writes[shown], shownValue),
                    losers: try different.map { try value(state.writes[losers[$0]], values[$0]) }))
        }
    }

    /// What the table adds to a counter's base. Whoever chooses another base wants it added to that one, too.
    private func sum(
        _ column: Int, _ state: RowState, _ shown: Write, _ value: Value, _ row: RowRef
    ) throws(StoreError) -> Int64? {
        guard case .integer(let total) = value else { return nil }
        if let base = shown.heldValue(column) { return total &- base.counted }
        guard row.table.counters.contains(column: column) else { return nil }
        return try pendingSum(column, row)
    }

    private func pendingSum(_ column: Int, _ row: RowRef) throws(StoreError) -> Int64 {
        guard let place = row.table.declaredNumbers.firstIndex(of: column) else { return 0 }
        let read = try core.sql(
            "SELECT v\(place) FROM kenh_pending WHERE tbl = ? AND id = ? AND kind = 1 AND mask >> \(place) & 1")
        defer { read.reset() }
        read.bind(1, row.table.number)
        read.bind(2, copying: row.id)
        var sum: Int64 = 0
        while try read.step() { sum &+= read.value(0).counted }
        return sum
    }

    private func author(_ write: Write) throws -> String {
        try RegistryTable(sql: core.sql).author(of: core.index.replica(ofBranch: write.dot.branch))
    }

    private func value(_ write: Write, _ value: Value) throws -> ConflictValue {
        let place = try core.index.place(of: write.dot)
        return ConflictValue(
            value: value, author: try author(write), officer: try core.blocks.officer(of: place.hash) ?? "",
            atMilliseconds: write.clock.milliseconds)
    }
}

extension Value {
    /// The bytes of an id.
    var bytes: [UInt8] {
        switch self {
        case .text(let x), .blob(let x): x
        default: Array(description.utf8)
        }
    }
}
