import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension SQLiteLog {
    /// What came with format 5: what was erased, by name; whether the file may still hold any of it; how far each device
    /// has confirmed.
    static let erasureDDL = """
        CREATE TABLE log_erased(
            hash BLOB NOT NULL, place INTEGER NOT NULL, col TEXT NOT NULL,
            PRIMARY KEY(hash, place, col)) STRICT, WITHOUT ROWID;
        CREATE TABLE log_clean(asked INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;
        INSERT INTO log_clean(asked, done) VALUES(0, 0);
        CREATE TABLE log_confirmed(
            device BLOB NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL, seen_at INTEGER NOT NULL,
            PRIMARY KEY(device, channel)) STRICT, WITHOUT ROWID;
        CREATE INDEX log_entry_erasure ON log_entry(channel, sequence) WHERE kind = 6;
        """
}

extension SQLiteLogTransaction {
    func markErased(_ names: [Erasure.Name]) throws {
        for name in names {
            let insert = try sql("INSERT OR IGNORE INTO log_erased(hash, place, col) VALUES(?, ?, ?)")
            insert.bind(1, copying: name.block.bytes)
            insert.bind(2, name.place)
            insert.bind(3, copying: name.column)
            try insert.run()
        }
        try sql("UPDATE log_clean SET asked = asked + 1").run()
    }

    func erased(of block: Hash256) throws -> Set<Erasure.Name> {
        let read = try sql("SELECT place, col FROM log_erased WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        var names: Set<Erasure.Name> = []
        while try read.step() {
            names.insert(Erasure.Name(block: block, place: Int(read.int(0)), column: read.string(1)))
        }
        return names
    }

    func payload(of block: Hash256) throws -> [UInt8]? {
        let read = try sql(
            """
            SELECT e.payload, b.archive, b.start, b.size
            FROM log_entry e LEFT JOIN log_body b ON b.position = e.position
            WHERE e.object_hash = ? AND e.replica IS NOT NULL
            """)
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        return try read.step() ? try whole(read.array(0), read, from: 1) : nil
    }

    func replace(payload: [UInt8], of block: Hash256) throws {
        var payload = payload
        if try isArchived(block) {
            var wire = try WireCoding.decode(WireBlock.self, from: payload)
            wire.body = Data()
            payload = try WireCoding.encode(wire)
        }
        let update = try sql("UPDATE log_entry SET payload = ?2 WHERE object_hash = ?1 AND replica IS NOT NULL")
        update.bind(1, copying: block.bytes)
        update.bind(2, copying: payload)
        try update.run()
    }

    private func isArchived(_ block: Hash256) throws -> Bool {
        let read = try sql(
            """
            SELECT 1 FROM log_entry e JOIN log_body b ON b.position = e.position
            WHERE e.object_hash = ? AND e.replica IS NOT NULL
            """)
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        return try read.step()
    }

    func erasures() throws -> [StoredEntry] {
        try entries(in: "log_entry INDEXED BY log_entry_erasure WHERE kind = 6")
    }

    /// - Parameter source: what follows FROM.
    func entries(in source: String) throws -> [StoredEntry] {
        let read = try sql("SELECT channel, sequence FROM \(source) ORDER BY position")
        var places: [(channel: String, sequence: UInt64)] = []
        while try read.step() { places.append((read.string(0), UInt64(clamping: read.int(1)))) }
        return try places.compactMap { place in
            try entries(channel: place.channel, after: place.sequence &- 1, limitBytes: 1).first
        }
    }

    func lastErasures() throws -> [String: UInt64] {
        let read = try sql("SELECT channel, max(sequence) FROM log_entry WHERE kind = 6 GROUP BY channel")
        defer { read.reset() }
        var last: [String: UInt64] = [:]
        while try read.step() { last[read.string(0)] = UInt64(clamping: read.int(1)) }
        return last
    }

    var isUnclean: Bool {
        get throws {
            let read = try sql("SELECT 1 FROM log_clean WHERE asked > done")
            defer { read.reset() }
            return try read.step()
        }
    }

    func confirmations(of device: PublicKey) throws -> [String: Confirmation] {
        let read = try sql("SELECT channel, sequence, seen_at FROM log_confirmed WHERE device = ?")
        defer { read.reset() }
        read.bind(1, copying: device.bytes)
        var found: [String: Confirmation] = [:]
        while try read.step() {
            found[read.string(0)] = Confirmation(
                sequence: UInt64(clamping: read.int(1)), seenAtMilliseconds: read.int(2))
        }
        return found
    }

    func confirm(_ channel: String, _ confirmation: Confirmation?, by device: PublicKey) throws {
        guard let confirmation else {
            let delete = try sql("DELETE FROM log_confirmed WHERE device = ? AND channel = ?")
            delete.bind(1, copying: device.bytes)
            delete.bind(2, copying: channel)
            return try delete.run()
        }
        let write = try sql(
            """
            INSERT INTO log_confirmed(device, channel, sequence, seen_at) VALUES(?1, ?2, ?3, ?4)
            ON CONFLICT(device, channel) DO UPDATE SET sequence = ?3, seen_at = ?4
            """)
        write.bind(1, copying: device.bytes)
        write.bind(2, copying: channel)
        write.bind(3, Int64(clamping: confirmation.sequence))
        write.bind(4, confirmation.seenAtMilliseconds)
        try write.run()
    }
}
