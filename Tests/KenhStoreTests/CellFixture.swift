import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

/// One cell's store and who it is.
final class CellFixture {
    let name: String
    let path: String
    let identity: StoreIdentity
    let clock: ManualClock
    private(set) var store: Store
    /// How much of the log it has taken.
    var taken = 0

    private let limits: WorkLimits

    init(
        name: String, path: String, identity: StoreIdentity, schema: Schema, clock: ManualClock,
        limits: WorkLimits = .namingByBirth
    ) throws {
        self.name = name
        self.path = path
        self.identity = identity
        self.clock = clock
        self.limits = limits
        store = try Self.open(path, schema, limits, clock)
    }

    private static func open(
        _ path: String, _ schema: Schema, _ limits: WorkLimits, _ clock: ManualClock
    ) throws -> Store {
        try Store(
            path: path, schema: schema, limits: limits, clock: { clock.milliseconds },
            random: { SystemRandomNumberGenerator() })
    }

    /// Opens the same file with a later schema.
    func upgrade(to schema: Schema) throws { store = try Self.open(path, schema, limits, clock) }

    func sql(_ text: String, _ arguments: [Value] = [], officer: String? = nil) throws {
        try store.write(officer: officer) { try $0.execute(text, arguments) }
    }

    func insert(_ table: String, _ id: Value, _ values: [(String, Value)] = [], officer: String? = nil) throws {
        try store.write(officer: officer) { try $0.insert(table, [("id", id)] + values) }
    }

    func update(_ table: String, _ id: Value, _ column: String, _ value: Value, officer: String? = nil) throws {
        try store.write(officer: officer) { try $0.update(table, id: id, [(column, value)]) }
    }

    func delete(_ table: String, _ id: Value) throws { try store.write { try $0.delete(table, id: id) } }

    @discardableResult
    func seal() throws -> SealReport { try store.seal(as: identity) }

    /// Nil where the row is not shown.
    func value(_ table: String, _ id: Value, _ column: String) throws -> Value? {
        try store.rows("SELECT \"\(column)\" AS v FROM \"\(table)\" WHERE id = ?", [id]).first?["v"]
    }

    func isShown(_ table: String, _ id: Value) throws -> Bool {
        try !store.rows("SELECT 1 FROM \"\(table)\" WHERE id = ?", [id]).isEmpty
    }

    func count(_ sql: String) throws -> Int64 {
        guard case .integer(let count)? = try store.rows("SELECT (\(sql)) AS n").first?["n"] else { return -1 }
        return count
    }

    var pending: Int64 { get throws { try count("SELECT count(*) FROM kenh_pending") } }

    /// What a column's conflict shows and keeps; nil where there is none.
    func conflict(_ table: String, _ id: Value, _ column: String) throws -> ConflictSummary? {
        for conflict in try store.conflicts(table: table) where conflict.id == id {
            guard case .values(column, let shown, let losers) = conflict.kind else { continue }
            return ConflictSummary(shown: shown.value, losers: losers.map(\.value))
        }
        return nil
    }

    func isKeptDespiteDelete(_ table: String, _ id: Value) throws -> Bool {
        try store.conflicts(table: table).contains {
            guard $0.id == id, case .keptDespiteDelete = $0.kind else { return false }
            return true
        }
    }
}

struct ConflictSummary: Equatable {
    let shown: Value
    let losers: [Value]
}
