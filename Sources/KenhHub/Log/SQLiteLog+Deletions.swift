import KenhMerge
import KenhProtocol
import KenhStore

extension SQLiteLog {
    /// What came with format 6: what is waited for before deletions are final, and who has said so.
    static let deletionDDL = """
        CREATE TABLE log_awaited(
            channel TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, asked_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE log_acknowledged(
            device BLOB NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY(device, channel)) STRICT, WITHOUT ROWID;
        CREATE INDEX log_entry_finality ON log_entry(channel, sequence) WHERE kind = 7;
        """
}

extension SQLiteLogTransaction {
    func awaited() throws -> [String: AwaitedDeletions] {
        let read = try sql("SELECT channel, sequence, asked_at FROM log_awaited")
        defer { read.reset() }
        var found: [String: AwaitedDeletions] = [:]
        while try read.step() {
            found[read.string(0)] = AwaitedDeletions(
                sequence: UInt64(clamping: read.int(1)), askedAtMilliseconds: read.int(2))
        }
        return found
    }

    func wait(for awaited: AwaitedDeletions?, in channel: String) throws {
        guard let awaited else {
            let delete = try sql("DELETE FROM log_awaited WHERE channel = ?")
            delete.bind(1, copying: channel)
            return try delete.run()
        }
        let write = try sql("INSERT OR REPLACE INTO log_awaited(channel, sequence, asked_at) VALUES(?, ?, ?)")
        write.bind(1, copying: channel)
        write.bind(2, Int64(clamping: awaited.sequence))
        write.bind(3, awaited.askedAtMilliseconds)
        try write.run()
    }

    func acknowledgements(of device: PublicKey) throws -> [String: UInt64] {
        let read = try sql("SELECT channel, sequence FROM log_acknowledged WHERE device = ?")
        defer { read.reset() }
        read.bind(1, copying: device.bytes)
        var found: [String: UInt64] = [:]
        while try read.step() { found[read.string(0)] = UInt64(clamping: read.int(1)) }
        return found
    }

    func acknowledge(_ channel: String, _ sequence: UInt64, by device: PublicKey) throws {
        let write = try sql("INSERT OR REPLACE INTO log_acknowledged(device, channel, sequence) VALUES(?, ?, ?)")
        write.bind(1, copying: device.bytes)
        write.bind(2, copying: channel)
        write.bind(3, Int64(clamping: sequence))
        try write.run()
    }

    func finalities() throws -> [StoredEntry] {
        try entries(in: "log_entry INDEXED BY log_entry_finality WHERE kind = 7")
    }
}
