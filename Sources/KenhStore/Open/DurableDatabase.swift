import CSQLite
import Foundation

/// A plain SQLite file with a store's durability and none of its tables: what the centre keeps its log in.
/// One connection, from any thread, one transaction at a time.
package final class DurableDatabase: Sendable {
    private let lock = NSLock()
    nonisolated(unsafe) private let handle: OpaquePointer
    nonisolated(unsafe) private let sql: StatementCache
    private let durability: Durability
    private let path: String
    /// Whether what is there may not be synced.
    nonisolated(unsafe) private var isDoubtful = true

    /// - Parameters:
    ///   - ddl: makes the tables of an empty file.
    ///   - upgrade: makes a file of an earlier format one of this; without it such a file is left as it is.
    package init(
        path: String, applicationID: Int64, format: Int64, ddl: String, durability: Durability = .current,
        upgrade: ((StatementCache, _ from: Int64) throws -> Void)? = nil
    ) throws(StoreError) {
        try StoreFile.check(path, mustExist: false)
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let error = StoreError(sqlite: code, on: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        self.durability = durability
        self.path = path
        sqlite3_busy_timeout(opened, 10_000)
        sql = StatementCache(opened)
        do { try prepare(applicationID, format, ddl, upgrade) } catch { throw StoreError(wrapping: error) }
    }

    deinit {
        sql.clear()
        sqlite3_close_v2(handle)
    }

    private func prepare(
        _ applicationID: Int64, _ format: Int64, _ ddl: String,
        _ upgrade: ((StatementCache, _ from: Int64) throws -> Void)?
    ) throws {
        // Looked at first, since setting the journal mode writes into the file.
        _ = try isNew(applicationID, format)
        try durability.apply(sql)
        try sql.execute("PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF")
        try write { sql in
            let found = try StoreFile.pragma(sql, "user_version")
            if try isNew(applicationID, format) {
                try sql.execute(ddl)
            } else if let upgrade, found < format {
                try upgrade(sql, found)
            } else {
                return
            }
            try sql.execute("PRAGMA application_id=\(applicationID); PRAGMA user_version=\(format)")
        }
    }

    private func isNew(_ applicationID: Int64, _ format: Int64) throws(StoreError) -> Bool {
        let found = try StoreFile.pragma(sql, "application_id")
        if found == 0, try StoreFile.isEmpty(sql) { return true }
        guard found == applicationID else {
            throw StoreError(
                .notAStore, "the database is not the centre's log", advice: "check --home; it was not touched")
        }
        guard try StoreFile.pragma(sql, "user_version") <= format else {
            throw StoreError(
                .newerVersion, "the log was written by a newer Kenh",
                advice: "upgrade Kenh on this machine; the log was not touched")
        }
        return false
    }

    /// One immediate transaction, durable when it returns.
    package func write<T>(_ body: (StatementCache) throws -> T) throws -> T {
        try transaction("BEGIN IMMEDIATE", body)
    }

    package func read<T>(_ body: (StatementCache) throws -> T) throws -> T {
        try transaction("BEGIN", body)
    }

    /// Leaves nothing in the file, or in its journal, that is no part of the database any more.
    ///
    /// - Parameter finish: done in the transaction that ends it.
    package func scrub(finish: (StatementCache) throws -> Void) throws {
        lock.lock()
        defer { lock.unlock() }
        if isDoubtful { try StoreFile.sync(path) }
        isDoubtful = false
        do { try durability.scrub(sql, finish: finish) } catch {
            if StoreError.isOfDisk(error) {
                isDoubtful = true
                durability.renewJournal(sql)
            }
            throw error
        }
    }

    private func transaction<T>(_ begin: String, _ body: (StatementCache) throws -> T) throws -> T {
        lock.lock()
        defer { lock.unlock() }
        if isDoubtful { try StoreFile.sync(path) }
        isDoubtful = false
        try sql.execute(begin)
        do {
            let result = try body(sql)
            try sql.execute("COMMIT")
            return result
        } catch {
            if sqlite3_get_autocommit(handle) == 0 { try? sql.execute("ROLLBACK") }
            if StoreError.isOfDisk(error) {
                isDoubtful = true
                durability.renewJournal(sql)
            }
            throw error
        }
    }
}
