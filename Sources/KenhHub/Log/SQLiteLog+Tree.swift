import KenhMerge
import KenhProtocol
import KenhStore

extension SQLiteLogTransaction {
    /// Entries are never taken out, so the last position is their number.
    var size: UInt64 {
        get throws {
            let read = try sql("SELECT coalesce(max(position), 0) FROM log_entry")
            defer { read.reset() }
            return try read.step() ? UInt64(clamping: read.int(0)) : 0
        }
    }

    func position(channel: String, sequence: UInt64) throws -> UInt64? {
        let read = try sql("SELECT position FROM log_entry WHERE channel = ? AND sequence = ?")
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(bitPattern: sequence))
        return try read.step() ? UInt64(clamping: read.int(0)) : nil
    }

    func entryHash(position: UInt64) throws -> Hash256 {
        let read = try sql("SELECT entry_hash FROM log_entry WHERE position = ?")
        defer { read.reset() }
        read.bind(1, Int64(clamping: position))
        guard try read.step(), let hash = Hash256(bytes: read.bytes(0)) else { throw damaged }
        return hash
    }

    func node(level: Int, index: UInt64) throws -> Hash256 {
        if level == 0 { return MerkleHash.leaf(try entryHash(position: index + 1).bytes) }
        let read = try sql("SELECT hash FROM log_node WHERE level = ? AND idx = ?")
        defer { read.reset() }
        read.bind(1, level)
        read.bind(2, Int64(clamping: index))
        guard try read.step(), let hash = Hash256(bytes: read.bytes(0)) else { throw damaged }
        return hash
    }

    func addToTree(_ entryHash: Hash256, at position: UInt64) throws {
        for node in try MerkleTree(self).adding(MerkleHash.leaf(entryHash.bytes), at: position - 1) where node.level > 0
        {
            let insert = try sql("INSERT INTO log_node(level, idx, hash) VALUES(?, ?, ?)")
            insert.bind(1, node.level)
            insert.bind(2, Int64(clamping: node.index))
            insert.bind(3, copying: node.hash.bytes)
            try insert.run()
        }
    }
}
