import KenhMerge
import KenhProtocol

/// Files of the centre's that the log names, `kenh_archive`. Whoever has the blocks needs none of them; they are counted
/// where all entries have to be accounted for.
struct ArchiveTable {
    let sql: StatementCache

    func add(_ entry: Delivery.NamedFile) throws(StoreError) {
        let insert = try sql("INSERT OR REPLACE INTO kenh_archive(channel, sequence, hash) VALUES(?, ?, ?)")
        insert.bind(1, copying: entry.channel)
        insert.bind(2, Int64(clamping: entry.sequence))
        insert.bind(3, copying: entry.hash.bytes)
        try insert.run()
    }

    /// How many a channel's log names up to a sequence.
    func count(of channel: String, upTo sequence: UInt64) throws(StoreError) -> Int {
        let read = try sql("SELECT count(*) FROM kenh_archive WHERE channel = ? AND sequence <= ?")
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(clamping: sequence))
        return try read.step() ? Int(read.int(0)) : 0
    }
}
