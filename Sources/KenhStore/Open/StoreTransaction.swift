import Foundation
import GRDB
import KenhMerge
import KenhProtocol

/// A row of a query's result.
public struct StoredRow: Sendable {
    private let values: [String: Value]
    /// In the query's order.
    public let columns: [String]

    init(_ row: Row) {
        columns = Array(row.columnNames)
        var values: [String: Value] = [:]
        for (name, value) in row { values[name] = Value(value) }
        self.values = values
    }

    /// NULL where there is no such column.
    public subscript(_ column: String) -> Value { values[column] ?? .null }
}

/// One SQLite transaction of the application's. All or nothing of it is kept.
public struct StoreTransaction {
    let db: Database

    /// Inserts a row; without an `id` among the values it gets a time-ordered one.
    /// - Throws: ``StoreError`` with code `refusedValue` for text with NUL, NaN, infinite reals, or an id that exists.
    public func insert(_ table: String, _ values: [(String, Value)]) throws(StoreError) {
        let names = values.map { quoted($0.0) }.joined(separator: ", ")
        let marks = values.map { _ in "?" }.joined(separator: ", ")
        let sql =
            values.isEmpty
            ? "INSERT INTO \(quoted(table)) DEFAULT VALUES" : "INSERT INTO \(quoted(table))(\(names)) VALUES(\(marks))"
        try execute(sql, values.map(\.1))
    }

    public func update(_ table: String, id: Value, _ values: [(String, Value)]) throws(StoreError) {
        let sets = values.map { "\(quoted($0.0)) = ?" }.joined(separator: ", ")
        try execute("UPDATE \(quoted(table)) SET \(sets) WHERE id = ?", values.map(\.1) + [id])
    }

    public func delete(_ table: String, id: Value) throws(StoreError) {
        try execute("DELETE FROM \(quoted(table)) WHERE id = ?", [id])
    }

    public func execute(_ sql: String, _ arguments: [Value] = []) throws(StoreError) {
        do {
            try db.execute(sql: sql, arguments: StatementArguments(try Self.checked(arguments).map(\.databaseValue)))
        } catch { throw StoreError(wrapping: error) }
    }

    public func rows(_ sql: String, _ arguments: [Value] = []) throws(StoreError) -> [StoredRow] {
        do {
            let arguments = StatementArguments(try Self.checked(arguments).map(\.databaseValue))
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map(StoredRow.init)
        } catch { throw StoreError(wrapping: error) }
    }

    /// What SQLite or GRDB would silently change is refused here: text is cut at a NUL and repaired where it is no
    /// UTF-8, NaN becomes NULL.
    private static func checked(_ values: [Value]) throws(StoreError) -> [Value] {
        for value in values {
            switch value {
            case .real(let x) where !x.isFinite:
                throw StoreError(.refusedValue, "\(x) is no number that can be kept", advice: "leave the field empty")
            case .text(let x) where x.contains(0):
                throw StoreError(.refusedValue, "a text holds a NUL character", advice: "remove it and write again")
            case .text(let x) where !x.withUnsafeBytes(UTF8Check.isTextWithoutNUL):
                throw StoreError(.refusedValue, "a text is no UTF-8", advice: "write it as a blob")
            case .text(let x) where x.count > Limits.valueBytes, .blob(let x) where x.count > Limits.valueBytes:
                throw StoreError(
                    .refusedValue, "a value has over \(Limits.valueBytes >> 20) MiB", advice: "keep it in a file")
            default: continue
            }
        }
        return values
    }
}

extension Value {
    var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let x): x.databaseValue
        case .real(let x): x.databaseValue
        case .text(let x): String(decoding: x, as: UTF8.self).databaseValue
        case .blob(let x): Data(x).databaseValue
        }
    }

    init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let x): self = .integer(x)
        case .double(let x): self = .real(x)
        case .string(let x): self = .text(Array(x.utf8))
        case .blob(let x): self = .blob(Array(x))
        }
    }
}

extension StoreCore {
    func lastPending() throws(StoreError) -> Int64 {
        let read = try sql("SELECT coalesce(max(seq), 0) FROM kenh_pending")
        defer { read.reset() }
        return try read.step() ? read.int(0) : 0
    }

    /// Kenh's own writes know their officer and take their time from the injected clock.
    func stampPending(after seq: Int64, officer: String?, at: Int64) throws(StoreError) {
        let update = try sql("UPDATE kenh_pending SET officer = ?2, at = ?3 WHERE seq > ?1")
        update.bind(1, seq)
        update.bind(2, copying: officer.map { Value.text($0) } ?? .null)
        update.bind(3, at)
        try update.run()
    }
}
