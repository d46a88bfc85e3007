import CSQLite
import KenhMerge

/// What a store's file must look like before anything is done with it.
enum StoreFile {
    private static let magic = Array("SQLite format 3\0".utf8)
    /// SQLITE_IOERR_SHORT_READ.
    private static let shortRead = SQLITE_IOERR | 2 << 8

    /// Looks at the file before any connection does, so that nothing is changed in a file that is none of ours.
    static func check(_ path: String, mustExist: Bool) throws(StoreError) {
        guard path != ":memory:" else { return }
        guard let head = head(path) else {
            guard mustExist else { return }
            throw StoreError(
                .notFound, "there is no store at \(path)", advice: "check --home, or join with kenh join URL")
        }
        guard head.isEmpty || head == magic || isHalfMade(head, path) else {
            throw StoreError(
                .notADatabase, "\(path) is no SQLite database",
                advice: "check --home, or restore a backup; it was not touched")
        }
    }

    /// The power was cut when the file was made: its first page did not reach the disk or only in parts, and the journal
    /// beside it takes back what did.
    private static func isHalfMade(_ head: [UInt8], _ path: String) -> Bool {
        guard zip(head, magic).allSatisfy({ $0 == 0 || $0 == $1 }), let journal = self.head(path + "-journal") else {
            return false
        }
        return !journal.isEmpty
    }

    /// The first bytes of a file, nil where there is none. What cannot be read is left to SQLite to complain of.
    ///
    /// Through SQLite's VFS, because POSIX locks belong to the process: to close the file here by ourselves would let go
    /// of the locks that another connection of this process holds on it.
    private static func head(_ path: String) -> [UInt8]? {
        guard let vfs = sqlite3_vfs_find(nil) else { return [] }
        var full = [CChar](repeating: 0, count: Int(vfs.pointee.mxPathname) + 1)
        guard vfs.pointee.xFullPathname(vfs, path, Int32(full.count), &full) & 0xff == SQLITE_OK else { return [] }
        // The first says no of an empty file, the second of one that may not be written.
        guard [SQLITE_ACCESS_EXISTS, SQLITE_ACCESS_READWRITE].contains(where: { isThere(full, $0, vfs) }) else {
            return nil
        }
        guard let name = sqlite3_create_filename(full, "", "", 0, nil) else { return [] }
        defer { sqlite3_free_filename(name) }
        return read(name, vfs)
    }

    /// True, too, where that cannot be found out.
    private static func isThere(_ path: [CChar], _ how: Int32, _ vfs: UnsafeMutablePointer<sqlite3_vfs>) -> Bool {
        var answer: Int32 = 0
        return vfs.pointee.xAccess(vfs, path, how, &answer) != SQLITE_OK || answer != 0
    }

    private static func read(_ name: UnsafePointer<CChar>, _ vfs: UnsafeMutablePointer<sqlite3_vfs>) -> [UInt8] {
        opened(name, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, vfs) { file, methods in
            var head = [UInt8](repeating: 0, count: magic.count)
            let code = methods.xRead(file, &head, Int32(head.count), 0)
            guard code != SQLITE_OK else { return head }
            var size: Int64 = 0
            guard code == shortRead, methods.xFileSize(file, &size) == SQLITE_OK else { return [] }
            // SQLite calls a file of one byte empty, because on some systems it writes one itself.
            return size > 0 ? Array(head.prefix(Int(size))) : head[0] == 0 ? [] : [head[0]]
        } ?? []
    }

    /// Nil where the file cannot be opened.
    private static func opened<T>(
        _ name: UnsafePointer<CChar>, _ flags: Int32, _ vfs: UnsafeMutablePointer<sqlite3_vfs>,
        _ body: (UnsafeMutablePointer<sqlite3_file>, sqlite3_io_methods) -> T
    ) -> T? {
        let room = UnsafeMutableRawPointer.allocate(byteCount: Int(vfs.pointee.szOsFile), alignment: 16)
        defer { room.deallocate() }
        room.initializeMemory(as: UInt8.self, repeating: 0, count: Int(vfs.pointee.szOsFile))
        let file = room.assumingMemoryBound(to: sqlite3_file.self)
        guard vfs.pointee.xOpen(vfs, name, file, flags, nil) == SQLITE_OK,
            let methods = file.pointee.pMethods
        else { return nil }
        defer { _ = methods.pointee.xClose(file) }
        return body(file, methods.pointee)
    }

    /// Syncs a database's file, whatever journal is beside it, and their folder, and changes nothing.
    ///
    /// To be done after an opening, and after a commit that failed: what a dead process or a failed sync has left is read
    /// from the system's cache as if it were there, and a power cut could still take it back when others have been told
    /// of it.
    static func sync(_ path: String) throws(StoreError) {
        guard path != ":memory:", let vfs = sqlite3_vfs_find(nil) else { return }
        for file in [path, path + "-journal", path + "-wal"] { try sync(file, SQLITE_OPEN_MAIN_DB, vfs) }
        // SQLite syncs the folder with a new journal's first sync.
        try sync(path + "-sync", SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_CREATE, vfs)
    }

    private static func sync(
        _ path: String, _ flags: Int32, _ vfs: UnsafeMutablePointer<sqlite3_vfs>
    ) throws(StoreError) {
        let isNew = flags & SQLITE_OPEN_CREATE != 0
        var full = [CChar](repeating: 0, count: Int(vfs.pointee.mxPathname) + 1)
        guard vfs.pointee.xFullPathname(vfs, path, Int32(full.count), &full) & 0xff == SQLITE_OK,
            isNew || isThere(full, SQLITE_ACCESS_EXISTS, vfs), let name = sqlite3_create_filename(full, "", "", 0, nil)
        else { return }
        defer { sqlite3_free_filename(name) }
        let code = opened(name, SQLITE_OPEN_READWRITE | flags, vfs) { $1.xSync($0, SQLITE_SYNC_NORMAL) }
        if isNew { _ = vfs.pointee.xDelete(vfs, name, 0) }
        guard code == nil || code == SQLITE_OK else {
            throw StoreError(.io, "\(path) could not be synced", advice: "check the disk, then try again")
        }
    }

    static func checkVersion(_ sql: StatementCache) throws(StoreError) {
        let application = try pragma(sql, "application_id")
        let version = try pragma(sql, "user_version")
        if application == 0, try isEmpty(sql) { return }
        guard application == SystemTables.applicationID else {
            throw StoreError(
                .notAStore, "the database is not a store of Kenh's", advice: "check --home; it was not touched")
        }
        guard version <= SystemTables.format else {
            throw StoreError(
                .newerVersion, "the store was written by a newer Kenh (format \(version))",
                advice: "upgrade Kenh on this machine; the store was not touched")
        }
    }

    /// Makes Kenh's own tables in an empty file, and what is lacking in one of an earlier format.
    static func create(_ sql: StatementCache) throws(StoreError) {
        if try pragma(sql, "application_id") == SystemTables.applicationID {
            let found = try pragma(sql, "user_version")
            guard found < SystemTables.format else { return }
            try sql.execute(SystemTables.upgradeDDL(from: found))
        } else {
            try sql.execute(SystemTables.ddl)
        }
        try sql.execute("PRAGMA application_id=\(SystemTables.applicationID)")
        try sql.execute("PRAGMA user_version=\(SystemTables.format)")
    }

    static func isEmpty(_ sql: StatementCache) throws(StoreError) -> Bool {
        let read = try sql("SELECT count(*) FROM sqlite_schema")
        defer { read.reset() }
        return try read.step() ? read.int(0) == 0 : true
    }

    static func pragma(_ sql: StatementCache, _ name: String) throws(StoreError) -> Int64 {
        let read = try sql("PRAGMA \(name)")
        defer { read.reset() }
        return try read.step() ? read.int(0) : 0
    }
}
