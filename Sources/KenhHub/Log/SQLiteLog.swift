import KenhMerge
import KenhProtocol
import KenhStore

/// The log and registry in a SQLite file of their own. Entries are only ever added.
public final class SQLiteLog: HubLog {
    private let database: DurableDatabase
    private let archives: ArchiveShelf?

    /// Leaves are not kept: they are the hashes of the entries' hashes.
    private static let treeDDL = """
        CREATE TABLE log_node(
            level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL,
            PRIMARY KEY(level, idx)) STRICT, WITHOUT ROWID;
        """
    private static let quarantineDDL = """
        CREATE TABLE quarantine(
            number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, writer BLOB NOT NULL, sender BLOB NOT NULL,
            received_at INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
        """
    private static let keyDDL = """
        CREATE TABLE registry_key(
            number INTEGER PRIMARY KEY, certificate BLOB NOT NULL UNIQUE, not_before INTEGER NOT NULL) STRICT;
        """
    static let registryPrefix = "registry_"
    private static let rightsDDL = RightsTable.ddl(prefix: registryPrefix)
    private static let entryDDL = """
        CREATE TABLE log_entry(
            position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, channel TEXT NOT NULL, sequence INTEGER NOT NULL,
            object_hash BLOB NOT NULL, accepted_at INTEGER NOT NULL, entry_hash BLOB NOT NULL,
            epoch INTEGER NOT NULL, signature BLOB NOT NULL, sender BLOB NOT NULL, replica BLOB,
            last_counter INTEGER, is_group_end INTEGER, payload BLOB NOT NULL, ruling BLOB NOT NULL DEFAULT x'',
            UNIQUE(channel, sequence), UNIQUE(object_hash, kind, accepted_at, ruling)) STRICT;
        """
    private static let ddl = """
        CREATE TABLE log_epoch(
            number INTEGER PRIMARY KEY, epoch BLOB NOT NULL UNIQUE, opened_at INTEGER NOT NULL) STRICT;
        \(entryDDL)
        \(treeDDL)
        CREATE TABLE log_head(
            channel TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, entry_hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE registry_cell(code TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE registry_device(
            key BLOB PRIMARY KEY NOT NULL, cell TEXT NOT NULL, name TEXT NOT NULL,
            revoked_at INTEGER, replaces BLOB) STRICT, WITHOUT ROWID;
        \(quarantineDDL)
        \(keyDDL)
        \(rightsDDL)
        CREATE TABLE registry_replica(
            replica BLOB PRIMARY KEY NOT NULL, device_key BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE registry_code(
            id BLOB PRIMARY KEY NOT NULL, secret BLOB NOT NULL, cell TEXT NOT NULL, expires_at INTEGER NOT NULL,
            used_by BLOB) STRICT, WITHOUT ROWID;
        \(erasureDDL)
        \(deletionDDL)
        \(archiveDDL)
        """
    /// "KLOG" in ASCII.
    private static let applicationID: Int64 = 0x4B4C_4F47
    private static let format: Int64 = 6

    /// - Parameters:
    ///   - newEpoch: 16 random bytes for a new log; an existing one keeps its own.
    ///   - openedAtMilliseconds: for a new log.
    ///   - archives: where the bodies of old blocks are, if any are.
    public convenience init(
        path: String, newEpoch: [UInt8], openedAtMilliseconds: Int64 = Store.wallClock(), archives: ArchiveShelf? = nil
    ) throws {
        try self.init(
            path: path, newEpoch: newEpoch, openedAtMilliseconds: openedAtMilliseconds, archives: archives,
            durability: .current)
    }

    package init(
        path: String, newEpoch: [UInt8], openedAtMilliseconds: Int64, archives: ArchiveShelf? = nil,
        durability: Durability
    ) throws {
        self.archives = archives
        database = try DurableDatabase(
            path: path, applicationID: Self.applicationID, format: Self.format, ddl: Self.ddl,
            durability: durability, upgrade: Self.upgrade)
        try write { transaction in
            guard try transaction.epoch.isEmpty else { return }
            try transaction.open(epoch: newEpoch, atMilliseconds: openedAtMilliseconds)
        }
    }

    /// A log without any epoch yet.
    init(path: String) throws {
        archives = nil
        database = try DurableDatabase(
            path: path, applicationID: Self.applicationID, format: Self.format, ddl: Self.ddl)
    }

    private static func upgrade(_ sql: StatementCache, from format: Int64) throws {
        if format < 2 { try addTree(sql) }
        if format < 3 { try addRights(sql) }
        // What came with format 4: new keys, of the centre and of devices.
        if format < 4 { try sql.execute("\(keyDDL) ALTER TABLE registry_device ADD COLUMN replaces BLOB;") }
        if format < 5 { try sql.execute(erasureDDL) }
        try sql.execute(deletionDDL + archiveDDL)
    }

    /// What came with format 3: rights, and rulings, whose entries are told apart by what they strike.
    private static func addRights(_ sql: StatementCache) throws {
        let columns = """
            position, kind, channel, sequence, object_hash, accepted_at, entry_hash, epoch, signature, sender, replica,
            last_counter, is_group_end, payload
            """
        try sql.execute(
            """
            ALTER TABLE log_entry RENAME TO log_entry_before;
            \(entryDDL)
            INSERT INTO log_entry(\(columns)) SELECT \(columns) FROM log_entry_before;
            DROP TABLE log_entry_before;
            \(rightsDDL)
            """)
    }

    /// What came with format 2: the tree, groups' ends, and revocation.
    private static func addTree(_ sql: StatementCache) throws {
        try sql.execute(treeDDL + quarantineDDL)
        try sql.execute("ALTER TABLE registry_device ADD COLUMN revoked_at INTEGER")
        try sql.execute("ALTER TABLE log_entry ADD COLUMN is_group_end INTEGER")
        let transaction = SQLiteLogTransaction(sql: sql, shelf: nil)
        for position in try 1..<transaction.size + 1 {
            try transaction.addToTree(transaction.entryHash(position: position), at: position)
        }
    }

    public func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        try database.write { [archives] in try body(SQLiteLogTransaction(sql: $0, shelf: archives)) }
    }

    public func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        try database.read { [archives] in try body(SQLiteLogTransaction(sql: $0, shelf: archives)) }
    }

    public func scrub() throws {
        let asked = try database.read { sql in
            let read = try sql("SELECT asked FROM log_clean")
            defer { read.reset() }
            return try read.step() ? read.int(0) : 0
        }
        // What another process erases meanwhile is not done with this.
        try database.scrub { try $0.execute("UPDATE log_clean SET done = max(done, \(asked))") }
    }
}

struct SQLiteLogTransaction: HubTransaction {
    let sql: StatementCache
    let shelf: ArchiveShelf?

    var epoch: [UInt8] {
        get throws {
            let read = try sql("SELECT epoch FROM log_epoch ORDER BY number DESC LIMIT 1")
            defer { read.reset() }
            return try read.step() ? read.array(0) : []
        }
    }

    func knows(epoch: [UInt8]) throws -> Bool {
        let read = try sql("SELECT 1 FROM log_epoch WHERE epoch = ?")
        defer { read.reset() }
        read.bind(1, copying: epoch)
        return try read.step()
    }

    func open(epoch: [UInt8], atMilliseconds: Int64) throws {
        let insert = try sql("INSERT INTO log_epoch(epoch, opened_at) VALUES(?, ?)")
        insert.bind(1, copying: epoch)
        insert.bind(2, atMilliseconds)
        try insert.run()
    }

    func append(
        _ entry: NewEntry, sign: (_ epoch: [UInt8], _ entryHash: Hash256) throws -> [UInt8]
    ) throws -> EntryProof {
        let head = try head(of: entry.channel)
        let epoch = try epoch
        let sequence = head.sequence &+ 1
        let entryHash = EntryHash.next(
            after: head.entryHash, kind: entry.kind, channel: entry.channel, sequence: sequence, object: entry.object,
            acceptedAtMilliseconds: entry.acceptedAtMilliseconds, ruling: entry.ruling)
        let signature = try sign(epoch, entryHash)
        let stored = StoredEntry(
            kind: entry.kind, channel: entry.channel, sequence: sequence, position: 0, objectHash: entry.object,
            acceptedAtMilliseconds: entry.acceptedAtMilliseconds, epoch: epoch, signature: signature,
            sender: entry.sender, payload: entry.payload, ruling: entry.ruling)
        try put(stored, header: entry.header, entryHash: entryHash)
        return EntryProof(
            epoch: epoch, kind: entry.kind, channel: entry.channel, sequence: sequence, object: entry.object,
            acceptedAtMilliseconds: entry.acceptedAtMilliseconds, previous: head.entryHash, signature: signature,
            ruling: entry.ruling)
    }

    func acceptance(of block: Hash256) throws -> EntryProof? {
        let read = try sql(
            """
            SELECT \(Self.proofColumns) WHERE e.object_hash = ? AND e.kind IN (1, 3, 4)
            ORDER BY e.position DESC LIMIT 1
            """)
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        return try proof(read)?.proof
    }

    func entry(of object: Hash256) throws -> (proof: EntryProof, position: UInt64)? {
        let read = try sql("SELECT \(Self.proofColumns) WHERE e.object_hash = ? ORDER BY e.position LIMIT 1")
        defer { read.reset() }
        read.bind(1, copying: object.bytes)
        return try proof(read)
    }

    func entry(channel: String, sequence: UInt64) throws -> (proof: EntryProof, position: UInt64)? {
        let read = try sql("SELECT \(Self.proofColumns) WHERE e.channel = ? AND e.sequence = ?")
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(bitPattern: sequence))
        return try proof(read)
    }

    private static let proofColumns = """
        e.kind, e.channel, e.sequence, e.accepted_at, e.signature, l.epoch, e.object_hash, e.position, e.ruling
        FROM log_entry e JOIN log_epoch l ON l.number = e.epoch
        """

    private func proof(_ read: Statement) throws -> (proof: EntryProof, position: UInt64)? {
        guard try read.step(), let kind = WireEntryKind(rawValue: Int(read.int(0))),
            let object = Hash256(bytes: read.bytes(6))
        else { return nil }
        let (channel, sequence) = (read.string(1), UInt64(clamping: read.int(2)))
        let previous = sequence == 1 ? .zero : try entryHash(channel: channel, sequence: sequence &- 1)
        guard let previous else { throw damaged }
        let proof = EntryProof(
            epoch: read.array(5), kind: kind, channel: channel, sequence: sequence, object: object,
            acceptedAtMilliseconds: read.int(3), previous: previous, signature: read.array(4), ruling: read.array(8))
        return (proof, UInt64(clamping: read.int(7)))
    }

    var damaged: StoreError {
        StoreError(.corrupt, "the centre's log lacks an entry", advice: "run kenh verify and restore a backup")
    }

    func contains(_ object: Hash256) throws -> Bool {
        let read = try sql("SELECT 1 FROM log_entry WHERE object_hash = ?")
        defer { read.reset() }
        read.bind(1, copying: object.bytes)
        return try read.step()
    }

    private func head(of channel: String) throws -> LogHead {
        let read = try sql("SELECT sequence, entry_hash FROM log_head WHERE channel = ?")
        defer { read.reset() }
        read.bind(1, copying: channel)
        guard try read.step(), let hash = Hash256(bytes: read.bytes(1)) else {
            return LogHead(channel: channel, sequence: 0, entryHash: .zero)
        }
        return LogHead(channel: channel, sequence: UInt64(clamping: read.int(0)), entryHash: hash)
    }

    func setHead(of channel: String, _ sequence: UInt64, _ hash: Hash256) throws {
        let write = try sql(
            """
            INSERT INTO log_head(channel, sequence, entry_hash) VALUES(?1, ?2, ?3)
            ON CONFLICT(channel) DO UPDATE SET sequence = ?2, entry_hash = ?3
            """)
        write.bind(1, copying: channel)
        write.bind(2, Int64(clamping: sequence))
        write.bind(3, copying: hash.bytes)
        try write.run()
    }

    private static let blockColumns = "object_hash, replica, channel, last_counter, is_group_end"

    func block(_ hash: Hash256) throws -> LoggedBlock? {
        let read = try sql("SELECT \(Self.blockColumns) FROM log_entry WHERE object_hash = ? AND replica IS NOT NULL")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? Self.loggedBlock(read) : nil
    }

    func block(pinnedBy pin: ReplicaPin, channel: String) throws -> LoggedBlock? {
        let read = try sql(
            """
            SELECT \(Self.blockColumns) FROM log_entry
            WHERE object_hash BETWEEN ?1 AND ?2 AND channel = ?3 AND replica = ?4 AND last_counter = ?5
            """)
        defer { read.reset() }
        read.bind(1, copying: pin.hash.bytes)
        read.bind(2, copying: pin.hash.bytes + [UInt8](repeating: 0xff, count: 16))
        read.bind(3, copying: channel)
        read.bind(4, copying: pin.replica.bytes)
        read.bind(5, Int64(bitPattern: pin.counter))
        return try read.step() ? Self.loggedBlock(read) : nil
    }

    private static func loggedBlock(_ read: Statement) -> LoggedBlock? {
        guard let hash = Hash256(bytes: read.bytes(0)), let replica = ReplicaID(bytes: read.bytes(1)) else {
            return nil
        }
        return LoggedBlock(
            hash: hash, replica: replica, channel: read.string(2), lastCounter: UInt64(clamping: read.int(3)),
            isGroupEnd: read.isNull(4) ? nil : read.int(4) != 0)
    }

    func heads() throws -> [LogHead] { try heads(from: "", to: "\u{7F}") }

    func heads(among channels: [String]) throws -> [LogHead] {
        var found: [String: LogHead] = [:]
        for name in channels {
            let (from, to) = name.hasSuffix("*") ? (String(name.dropLast()), "\(name.dropLast())\u{7F}") : (name, name)
            for head in try heads(from: from, to: to) { found[head.channel] = head }
        }
        return found.values.sorted { $0.channel.utf8.lexicographicallyPrecedes($1.channel.utf8) }
    }

    /// Names are printable ASCII: all that begin alike stand before the same with 7F behind it.
    private func heads(from: String, to: String) throws -> [LogHead] {
        let read = try sql(
            """
            SELECT channel, sequence, entry_hash FROM log_head WHERE channel BETWEEN ? AND ? ORDER BY channel
            """)
        defer { read.reset() }
        read.bind(1, copying: from)
        read.bind(2, copying: to)
        var heads: [LogHead] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(2)) else { continue }
            heads.append(LogHead(channel: read.string(0), sequence: UInt64(clamping: read.int(1)), entryHash: hash))
        }
        return heads
    }

    func entryHash(channel: String, sequence: UInt64) throws -> Hash256? {
        let read = try sql("SELECT entry_hash FROM log_entry WHERE channel = ? AND sequence = ?")
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(bitPattern: sequence))
        return try read.step() ? Hash256(bytes: read.bytes(0)) : nil
    }

    func entries(channel: String, after sequence: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        let read = try sql(
            "SELECT \(Self.entryColumns) WHERE e.channel = ? AND e.sequence > ? ORDER BY e.sequence")
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(bitPattern: sequence))
        return try entries(read, limitBytes, after: sequence, by: \.sequence)
    }

    func lastSequence(of channel: String, acceptedBefore milliseconds: Int64) throws -> UInt64 {
        let read = try sql(
            """
            SELECT coalesce(
                (SELECT min(sequence) - 1 FROM log_entry WHERE channel = ?1 AND accepted_at >= ?2),
                (SELECT sequence FROM log_head WHERE channel = ?1), 0)
            """)
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, milliseconds)
        return try read.step() ? UInt64(clamping: read.int(0)) : 0
    }

    func payloadBytes(of channel: String, after sequence: UInt64, upTo last: UInt64) throws -> Int {
        let read = try sql(
            """
            SELECT coalesce(sum(length(e.payload) + coalesce(b.size, 0)), 0)
            FROM log_entry e LEFT JOIN log_body b ON b.position = e.position
            WHERE e.channel = ? AND e.sequence > ? AND e.sequence <= ?
            """)
        defer { read.reset() }
        read.bind(1, copying: channel)
        read.bind(2, Int64(clamping: sequence))
        read.bind(3, Int64(clamping: last))
        return try read.step() ? Int(read.int(0)) : 0
    }

    func entries(afterPosition position: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        let read = try sql("SELECT \(Self.entryColumns) WHERE e.position > ? ORDER BY e.position")
        defer { read.reset() }
        read.bind(1, Int64(clamping: position))
        return try entries(read, limitBytes, after: position, by: \.position)
    }

    private static let entryColumns = """
        e.kind, e.sequence, e.position, e.object_hash, e.accepted_at, l.epoch, e.signature, e.sender, e.payload, e.channel,
        e.ruling, b.archive, b.start, b.size
        FROM log_entry e JOIN log_epoch l ON l.number = e.epoch LEFT JOIN log_body b ON b.position = e.position
        """

    /// An index that is damaged may lead to entries that were not asked for: whoever goes on from the last one would read
    /// the same ones for ever.
    private func entries(
        _ read: Statement, _ limitBytes: Int, after place: UInt64, by key: KeyPath<StoredEntry, UInt64>
    ) throws -> [StoredEntry] {
        var entries: [StoredEntry] = []
        var bytes = 0
        var last = place
        while try read.step() {
            guard let object = Hash256(bytes: read.bytes(3)) else { throw damaged }
            bytes += read.bytes(8).count + (read.isNull(13) ? 0 : Int(read.int(13)))
            if !entries.isEmpty, bytes > limitBytes { break }
            let entry = StoredEntry(
                kind: WireEntryKind(rawValue: Int(read.int(0))) ?? .unspecified, channel: read.string(9),
                sequence: UInt64(clamping: read.int(1)), position: UInt64(clamping: read.int(2)),
                objectHash: object, acceptedAtMilliseconds: read.int(4), epoch: read.array(5),
                signature: read.array(6), sender: read.array(7), payload: try whole(read.array(8), read, from: 11),
                ruling: read.array(10))
            guard entry[keyPath: key] > last else { throw damaged }
            last = entry[keyPath: key]
            entries.append(entry)
        }
        return entries
    }

    func structureProblems() throws -> [String] {
        let read = try sql("PRAGMA integrity_check(20)")
        defer { read.reset() }
        var problems: [String] = []
        while try read.step() { problems.append(read.string(0)) }
        return problems.filter { $0 != "ok" }
    }

    /// Puts an entry in at the end, as it is; its epoch has to be there.
    func put(_ entry: StoredEntry, header: BlockHeader?, entryHash: Hash256) throws {
        let position = try size + 1
        let insert = try sql(
            """
            INSERT INTO log_entry(kind, channel, sequence, object_hash, accepted_at, entry_hash, epoch,
                signature, sender, replica, last_counter, payload, position, is_group_end, ruling)
            VALUES(?, ?, ?, ?, ?, ?, (SELECT number FROM log_epoch WHERE epoch = ?), ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insert.bind(1, entry.kind.rawValue)
        insert.bind(2, copying: entry.channel)
        insert.bind(3, Int64(clamping: entry.sequence))
        insert.bind(4, copying: entry.objectHash.bytes)
        insert.bind(5, entry.acceptedAtMilliseconds)
        insert.bind(6, copying: entryHash.bytes)
        insert.bind(7, copying: entry.epoch)
        insert.bind(8, copying: entry.signature)
        insert.bind(9, copying: entry.sender)
        insert.bind(10, copying: header.map { Value.blob($0.replica.bytes) } ?? .null)
        insert.bind(11, copying: header.map { Value.integer(Int64($0.lastCounter)) } ?? .null)
        insert.bind(12, copying: entry.payload)
        insert.bind(13, Int64(clamping: position))
        insert.bind(14, copying: header.map { .integer($0.isGroupEnd ? 1 : 0) } ?? .null)
        insert.bind(15, copying: entry.ruling)
        try insert.run()
        try addToTree(entryHash, at: position)
        try setHead(of: entry.channel, entry.sequence, entryHash)
    }
}
