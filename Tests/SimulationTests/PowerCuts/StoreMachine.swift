import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

/// A machine with one store, whose every start does the same.
struct StoreMachine: Sendable {
    static let start: Int64 = 1_760_000_000_000

    let identity: StoreIdentity
    private let seed: UInt64
    private let durability: Durability

    init(seed: UInt64, _ durability: Durability) throws {
        var random = SeededGenerator(seed: seed)
        self.seed = seed
        self.durability = durability
        identity = StoreIdentity(
            organisation: .zero, replica: .random(using: &random), key: try SigningKey(using: &random))
    }

    /// Who it is, as the centre would tell.
    var registry: [RegistryFact] {
        let (key, name) = (identity.key.publicKey, "M\(seed)")
        return [
            .cell(code: name, name: name), .device(key: key, cell: name, name: name),
            .replica(identity.replica, device: key),
        ]
    }

    func open(_ disk: RAMDisk, schema: Schema = SimulatedSchema.second, scratch: RAMDisk? = nil) throws -> Store {
        SQLiteTime.set(Self.start)
        var limits = WorkLimits()
        (limits.changesPerBlock, limits.changesPerChunk, limits.changesPerMerge) = (5, 7, 10)
        limits.durability = durability
        limits.rebuildPath = scratch?.path("rebuilt.db")
        return try Store(
            path: disk.path("kenh.db"), schema: schema, limits: limits, clock: { Self.start },
            random: { [seed] in SeededGenerator(seed: seed) })
    }

    /// Opens the store and says all that is in it.
    func inspect(_ disk: RAMDisk, isDeep: Bool) throws -> String {
        let scratch = RAMDisk(seed: 0)
        defer { withExtendedLifetime(scratch) {} }
        let store = try open(disk, scratch: scratch)
        let report = try store.verify(deep: isDeep)
        guard report.isGood else { throw Broken(description: report.problems.joined(separator: "; ")) }
        let queries = SimulatedSchema.second.tables.map { "SELECT * FROM \"\($0.name)\" ORDER BY id" } + Self.ownTables
        return try queries.map { query in
            try store.rows(query).map { row in row.columns.map { "\($0)=\(row[$0])" }.joined(separator: " ") }
                .joined(separator: "\n")
        }.joined(separator: "\n--\n")
    }

    private static let ownTables = [
        "SELECT * FROM kenh_pending ORDER BY seq",
        "SELECT seq, hash, is_applied, sequence, accepted_at FROM kenh_block ORDER BY seq",
        "SELECT * FROM kenh_channel ORDER BY number", "SELECT * FROM kenh_row ORDER BY tbl, id, ch",
        "SELECT * FROM kenh_meta ORDER BY key",
    ]

    struct Broken: Error, CustomStringConvertible { let description: String }

    // MARK: what people do

    /// Some rows, so that no page is the only one.
    func fill(_ store: Store, rows: Int = 40) throws {
        try store.write { transaction in
            for number in 0..<rows {
                try transaction.insert("item", Self.line("row \(number)", number))
                try transaction.insert(
                    "task", [("id", .text("task \(number)")), ("channel", .text("plan/A")), ("title", .text("t"))])
            }
        }
    }

    static func line(_ id: String, _ number: Int) -> [(String, Value)] {
        [
            ("id", .text(id)), ("title", .text("title \(number)")), ("amount", .integer(Int64(number))),
            ("data", .blob(Array(repeating: UInt8(truncatingIfNeeded: number), count: number * 40 % 3000))),
        ]
    }
}
