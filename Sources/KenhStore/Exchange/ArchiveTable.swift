import KenhMerge
import KenhProtocol

/// Files of the centre's that the log names, `kenh_archive`. Whoever has the blocks needs none of them.
struct ArchiveTable {
    let sql: StatementCache

    func add(_ entry: Delivery.NamedFile) throws(StoreError) {
        let insert = try sql("INSERT OR REPLACE INTO kenh_archive(channel, sequence, hash) VALUES(?, ?, ?)")
        insert.bind(1, copying: entry.channel)
        insert.bind(2, Int64(clamping: entry.sequence))
        insert.bind(3, copying: entry.hash.bytes)
        try insert.run()
    }
}

extension StoreCore {
    /// How many entries a channel's log has up to a sequence that say nothing of a block: what has to be accounted for
    /// where all entries are counted.
    func entriesWithoutBlocks(of channel: String, upTo sequence: UInt64) throws(StoreError) -> Int {
        var count = 0
        for table in ["kenh_seen_snapshot", "kenh_erasure", "kenh_finality", "kenh_archive"] {
            let read = try sql("SELECT count(*) FROM \(table) WHERE channel = ? AND sequence <= ?")
            defer { read.reset() }
            read.bind(1, copying: channel)
            read.bind(2, Int64(clamping: sequence))
            if try read.step() { count += Int(read.int(0)) }
        }
        return count
    }
}
