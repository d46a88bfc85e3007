import KenhMerge
import KenhProtocol

/// Snapshots that the log names, and whether they were made again here.
struct SeenSnapshotTable {
    let sql: StatementCache

    enum State: Int64 {
        case new = 0
        case same = 1
        /// The same, and the centre was told.
        case told = 2
        /// Not to be made again: the blocks that it takes are not all here.
        case unknown = 3
        case different = 4
    }

    func add(_ entry: Delivery.NamedFile) throws(StoreError) {
        let insert = try sql(
            "INSERT OR IGNORE INTO kenh_seen_snapshot(hash, channel, sequence, state) VALUES(?, ?, ?, 0)")
        insert.bind(1, copying: entry.hash.bytes)
        insert.bind(2, copying: entry.channel)
        insert.bind(3, Int64(clamping: entry.sequence))
        try insert.run()
        // Only the newest of a channel is worth the work.
        let skip = try sql("UPDATE kenh_seen_snapshot SET state = 3 WHERE channel = ? AND hash <> ? AND state = 0")
        skip.bind(1, copying: entry.channel)
        skip.bind(2, copying: entry.hash.bytes)
        try skip.run()
    }

    func contains(_ hash: Hash256, at sequence: UInt64) throws(StoreError) -> Bool {
        let read = try sql("SELECT 1 FROM kenh_seen_snapshot WHERE hash = ? AND sequence = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        read.bind(2, Int64(clamping: sequence))
        return try read.step()
    }

    /// What was made before values were erased cannot be made again.
    func forget(in channel: String) throws(StoreError) {
        let update = try sql("UPDATE kenh_seen_snapshot SET state = 3 WHERE channel = ? AND state = 0")
        update.bind(1, copying: channel)
        try update.run()
    }

    func set(_ state: State, of hash: Hash256) throws(StoreError) {
        let update = try sql("UPDATE kenh_seen_snapshot SET state = ?2 WHERE hash = ?1")
        update.bind(1, copying: hash.bytes)
        update.bind(2, state.rawValue)
        try update.run()
    }

    func hashes(in state: State) throws(StoreError) -> [Hash256] {
        try all(in: state).map(\.hash)
    }

    func all(in state: State) throws(StoreError) -> [(hash: Hash256, channel: String)] {
        let read = try sql(
            """
            SELECT hash, channel FROM kenh_seen_snapshot WHERE state = ? ORDER BY hash LIMIT \(Limits.snapshotsConfirmed)
            """)
        defer { read.reset() }
        read.bind(1, state.rawValue)
        var found: [(hash: Hash256, channel: String)] = []
        while try read.step() {
            if let hash = Hash256(bytes: read.bytes(0)) { found.append((hash, read.string(1))) }
        }
        return found
    }
}
