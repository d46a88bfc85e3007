import KenhMerge
import KenhProtocol

/// What a store offers to whoever exchanges blocks with it.
extension Store {
    /// Blocks without an acknowledgement, in the order in which they were taken, and where each channel's log stands.
    public struct Outbox: Sendable {
        /// Under which the store writes now.
        public let replica: ReplicaID
        public let blocks: [Block]
        public let cursors: [ChannelCursor]
        /// The newest acknowledged entry of each channel that was not followed up to there.
        public let receipts: [ChannelCursor]
        /// The newest of the centre's log.
        public let checkpoint: KeptCheckpoint?
        public let snapshots: SnapshotOutbox
        /// Whether there are more unsent blocks than these.
        public let hasMore: Bool
        /// Whether the files may still hold what was erased: the cursors confirm no erasure then.
        public let hasErasuresPending: Bool

        public init(
            replica: ReplicaID, blocks: [Block], cursors: [ChannelCursor], receipts: [ChannelCursor] = [],
            checkpoint: KeptCheckpoint? = nil, snapshots: SnapshotOutbox = SnapshotOutbox(), hasMore: Bool,
            hasErasuresPending: Bool = false
        ) {
            self.snapshots = snapshots
            self.hasErasuresPending = hasErasuresPending
            self.replica = replica
            self.blocks = blocks
            self.cursors = cursors
            self.receipts = receipts
            self.checkpoint = checkpoint
            self.hasMore = hasMore
        }
    }

    /// Seals what is pending and reads the next blocks to send. What was erased goes from the files before.
    public func outbox(as identity: StoreIdentity, limitBytes: Int) throws(StoreError) -> Outbox {
        _ = try cleanIfPossible()
        return try transaction { _, core in
            _ = try sealer(core, identity).seal()
            let blocks = try core.blocks.unsent(limitBytes: limitBytes, limitCount: Limits.blocksPerRequest)
            let read = try core.sql("SELECT count(*) FROM kenh_block WHERE sequence IS NULL AND \(BlockTable.hasBody)")
            defer { read.reset() }
            let total = try read.step() ? Int(read.int(0)) : 0
            return Outbox(
                replica: try core.replica(of: identity), blocks: blocks,
                cursors: core.channels.all.map(\.cursor).filter { $0.sequence > 0 },
                receipts: try core.channels.all.compactMap { try Self.receipt(above: $0, core) },
                checkpoint: try CheckpointTable(sql: core.sql).newest(),
                snapshots: try SnapshotTable(core: core).outbox(), hasMore: total > blocks.count,
                hasErasuresPending: try core.isUnclean)
        }
    }

    private static func receipt(
        above channel: ChannelBook.Channel, _ core: StoreCore
    ) throws(StoreError) -> ChannelCursor? {
        let newest = try core.blocks.newestAccepted(channel: channel.number)
        // A block may have been accepted earlier, in a log that is no more.
        guard let newest, newest.sequence > channel.cursor.sequence, let proof = newest.proof,
            proof.sequence == newest.sequence
        else { return nil }
        return ChannelCursor(
            channel: channel.name, epoch: proof.epoch, sequence: proof.sequence, logHash: proof.entryHash)
    }

    /// Digests of the merged state, for channels with nothing unsent or pending here; others cannot be compared.
    public func settledDigests() throws(StoreError) -> [String: Digest128] {
        try reading { core in
            let pending = try core.lastPending() > 0
            guard !pending else { return [:] }
            let unsettled = try Merger(core: core, now: now).channelsThatWait()
                .union(core.blocks.channelsWithUnsent()).union(SnapshotTable(core: core).unsettledChannels())
            return Dictionary(
                uniqueKeysWithValues: core.channels.all.filter { !unsettled.contains($0.number) }
                    .map { ($0.name, $0.digest) })
        }
    }

    public func cursors() throws(StoreError) -> [ChannelCursor] {
        try reading { $0.channels.all.map(\.cursor) }
    }

    public func block(_ hash: Hash256) throws(StoreError) -> Block? {
        try reading { try $0.blocks.block(hash) }
    }

    /// The key whose signature a replica's blocks bear; nil where the registry does not know the replica.
    public func deviceKey(of replica: ReplicaID) throws(StoreError) -> PublicKey? {
        try reading { try RegistryTable(sql: $0.sql).deviceKey(of: replica) }
    }

    public func authors() throws(StoreError) -> [ReplicaID: String] {
        try reading { core in
            let read = try core.sql("SELECT replica FROM kenh_replica")
            var replicas: [ReplicaID] = []
            while try read.step() { ReplicaID(bytes: read.array(0)).map { replicas.append($0) } }
            let registry = RegistryTable(sql: core.sql)
            return Dictionary(try replicas.map { ($0, try registry.author(of: $0)) }) { first, _ in first }
        }
    }

    /// Facts of the application's own, such as identity and configuration, by key.
    public func fact(_ key: String) throws(StoreError) -> Value { try reading { try $0.meta.value(key) } }

    public func setFact(_ key: String, _ value: Value) throws(StoreError) {
        try transaction { _, core in try core.meta.set(key, value) }
    }

    /// What the local clock lacks to the centre's, in milliseconds: unsealed changes are re-timed by it.
    public func setClockOffset(milliseconds: Int64) throws(StoreError) {
        try setFact("clock_offset", .integer(milliseconds))
    }

    /// What people should be told, oldest first.
    public func notices() throws(StoreError) -> [(atMilliseconds: Int64, code: String, message: String)] {
        try reading { core in
            let read = try core.sql("SELECT at, code, message FROM kenh_notice ORDER BY number")
            defer { read.reset() }
            var notices: [(atMilliseconds: Int64, code: String, message: String)] = []
            while try read.step() { notices.append((read.int(0), read.string(1), read.string(2))) }
            return notices
        }
    }
}
