import KenhMerge
import KenhProtocol
import KenhStore

/// The index of attachments in a SQLite file of its own, beside the log and not in it: the log is never waited for, and
/// is made anew or put back without it.
public final class SQLiteBlobIndex: BlobIndex {
    private let database: DurableDatabase

    private static let ddl = """
        CREATE TABLE blob_given(
            hash BLOB NOT NULL, channel TEXT NOT NULL, size INTEGER NOT NULL, type TEXT NOT NULL, device BLOB NOT NULL,
            given_at INTEGER NOT NULL, PRIMARY KEY(hash, channel)) STRICT, WITHOUT ROWID;
        CREATE TABLE blob_upload(
            number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL, channel TEXT NOT NULL, device BLOB NOT NULL,
            size INTEGER NOT NULL, type TEXT NOT NULL, have INTEGER NOT NULL, changed_at INTEGER NOT NULL,
            UNIQUE(hash, channel, device)) STRICT;
        """
    /// "KBLB" in ASCII.
    private static let applicationID: Int64 = 0x4B42_4C42

    /// - Throws: `StoreError` where the file is not such an index, or cannot be made.
    public init(path: String) throws {
        database = try DurableDatabase(path: path, applicationID: Self.applicationID, format: 1, ddl: Self.ddl)
    }

    public func given(_ hash: Hash256, in channel: String) throws -> GivenBlob? {
        try database.read { sql in
            let read = try sql("SELECT \(Self.givenColumns) FROM blob_given WHERE hash = ? AND channel = ?")
            defer { read.reset() }
            read.bind(1, copying: hash.bytes)
            read.bind(2, copying: channel)
            return try read.step() ? Self.given(read) : nil
        }
    }

    public func allGiven() throws -> [GivenBlob] {
        try database.read { sql in
            let read = try sql("SELECT \(Self.givenColumns) FROM blob_given ORDER BY hash, channel")
            defer { read.reset() }
            var all: [GivenBlob] = []
            while try read.step() { Self.given(read).map { all.append($0) } }
            return all
        }
    }

    public func upload(of hash: Hash256, in channel: String, by device: [UInt8]) throws -> BlobUpload? {
        try database.read { sql in
            let read = try sql(
                "SELECT \(Self.uploadColumns) FROM blob_upload WHERE hash = ? AND channel = ? AND device = ?")
            defer { read.reset() }
            read.bind(1, copying: hash.bytes)
            read.bind(2, copying: channel)
            read.bind(3, copying: device)
            return try read.step() ? Self.upload(read) : nil
        }
    }

    public func uploads() throws -> [BlobUpload] {
        try database.read { sql in
            let read = try sql("SELECT \(Self.uploadColumns) FROM blob_upload ORDER BY number")
            defer { read.reset() }
            var all: [BlobUpload] = []
            while try read.step() { Self.upload(read).map { all.append($0) } }
            return all
        }
    }

    public func begin(_ upload: BlobUpload) throws -> BlobUpload {
        try database.write { sql in
            let insert = try sql(
                """
                INSERT INTO blob_upload(hash, channel, device, size, type, have, changed_at)
                VALUES(?, ?, ?, ?, ?, 0, ?) RETURNING \(Self.uploadColumns)
                """)
            defer { insert.reset() }
            insert.bind(1, copying: upload.hash.bytes)
            insert.bind(2, copying: upload.channel)
            insert.bind(3, copying: upload.device)
            insert.bind(4, Int64(clamping: upload.size))
            insert.bind(5, copying: upload.type)
            insert.bind(6, upload.changedAtMilliseconds)
            guard try insert.step(), let begun = Self.upload(insert) else {
                throw StoreError(.io, "the index of attachments gave no number")
            }
            // Until SQLite says that it is done.
            while try insert.step() {}
            return begun
        }
    }

    public func advance(_ upload: BlobUpload) throws {
        try database.write { sql in
            let update = try sql("UPDATE blob_upload SET have = ?2, changed_at = ?3 WHERE number = ?1")
            update.bind(1, upload.number)
            update.bind(2, Int64(clamping: upload.have))
            update.bind(3, upload.changedAtMilliseconds)
            try update.run()
        }
    }

    public func drop(_ upload: BlobUpload) throws { try database.write { try Self.drop(upload, $0) } }

    public func end(_ upload: BlobUpload, giving blob: GivenBlob) throws {
        try database.write { sql in
            try Self.drop(upload, sql)
            let insert = try sql(
                """
                INSERT INTO blob_given(hash, channel, size, type, device, given_at) VALUES(?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """)
            insert.bind(1, copying: blob.hash.bytes)
            insert.bind(2, copying: blob.channel)
            insert.bind(3, Int64(clamping: blob.size))
            insert.bind(4, copying: blob.type)
            insert.bind(5, copying: blob.device)
            insert.bind(6, blob.givenAtMilliseconds)
            try insert.run()
        }
    }

    private static func drop(_ upload: BlobUpload, _ sql: StatementCache) throws {
        let delete = try sql("DELETE FROM blob_upload WHERE number = ?")
        delete.bind(1, upload.number)
        try delete.run()
    }

    private static let givenColumns = "hash, channel, size, type, device, given_at"
    private static let uploadColumns = "number, hash, channel, device, size, type, have, changed_at"

    private static func given(_ row: Statement) -> GivenBlob? {
        Hash256(bytes: row.bytes(0)).map { hash in
            GivenBlob(
                hash: hash, channel: row.string(1), size: UInt64(clamping: row.int(2)), type: row.string(3),
                device: row.array(4), givenAtMilliseconds: row.int(5))
        }
    }

    private static func upload(_ row: Statement) -> BlobUpload? {
        Hash256(bytes: row.bytes(1)).map { hash in
            BlobUpload(
                number: row.int(0), hash: hash, channel: row.string(2), device: row.array(3),
                size: UInt64(clamping: row.int(4)), type: row.string(5), have: UInt64(clamping: row.int(6)),
                changedAtMilliseconds: row.int(7))
        }
    }
}
