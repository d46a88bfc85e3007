import KenhMerge
import KenhProtocol

/// What a store knows of its own state.
public struct StoreStatus: Sendable, Equatable {
    public struct Channel: Sendable, Equatable {
        public let name: String
        public let digest: Digest128
        public let cursor: ChannelCursor
    }

    /// Captured changes that are in no block yet.
    public let pendingChanges: Int
    /// Blocks that the centre has not acknowledged, and the changes in them.
    public let unsentBlocks: Int
    public let unsentChanges: Int
    /// Claimed time of the oldest change that the centre does not have; nil when it has all.
    public let unsentSinceMilliseconds: Int64?
    /// Blocks that wait for others, or for a newer version.
    public let heldBlocks: Int
    public let blocks: Int
    public let rows: [(table: String, count: Int)]
    public let conflicts: Int
    /// Changes made here that nobody merges, see ``Store/rejected()``.
    public let rejectedChanges: Int
    public let channels: [Channel]
    public let clockOffsetMilliseconds: Int64
    public let durability: Durability

    public static func == (a: StoreStatus, b: StoreStatus) -> Bool {
        a.channels == b.channels && a.pendingChanges == b.pendingChanges && a.unsentBlocks == b.unsentBlocks
    }
}

extension Store {
    public func status() throws(StoreError) -> StoreStatus {
        let open = try conflicts(includingSilent: false).count
        return try reading { core in
            func count(_ text: String) throws -> Int {
                let read = try core.sql(text)
                defer { read.reset() }
                return try read.step() ? Int(read.int(0)) : 0
            }
            let oldest = try [
                count("SELECT coalesce(min(at), 0) FROM kenh_pending WHERE at > 0"),
                Self.oldestUnsent(core),
            ].filter { $0 > 0 }.min()
            return StoreStatus(
                pendingChanges: try count("SELECT count(*) FROM kenh_pending"),
                unsentBlocks: try count("SELECT count(*) FROM kenh_block WHERE sequence IS NULL"),
                unsentChanges: try count("SELECT coalesce(sum(changes), 0) FROM kenh_block WHERE sequence IS NULL"),
                unsentSinceMilliseconds: oldest.map(Int64.init),
                heldBlocks: try count("SELECT count(*) FROM kenh_block WHERE is_applied = 0"),
                blocks: try count("SELECT count(*) FROM kenh_block"),
                rows: try self.schema.tables.map { ($0.name, try count("SELECT count(*) FROM \(quoted($0.name))")) },
                conflicts: open,
                rejectedChanges: try count("SELECT count(*) FROM kenh_rejected WHERE is_forgotten = 0"),
                channels: core.channels.all.map { .init(name: $0.name, digest: $0.digest, cursor: $0.cursor) },
                clockOffsetMilliseconds: try core.meta.integer("clock_offset") ?? 0,
                durability: core.limits.durability)
        }
    }

    private static func oldestUnsent(_ core: StoreCore) throws -> Int {
        let read = try core.sql("SELECT header FROM kenh_block WHERE sequence IS NULL ORDER BY seq LIMIT 1")
        defer { read.reset() }
        guard try read.step() else { return 0 }
        return Int(try BlockHeader(decoding: read.array(0)).firstClock.milliseconds)
    }
}
