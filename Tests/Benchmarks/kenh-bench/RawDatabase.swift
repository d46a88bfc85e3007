import CSQLite
import KenhStore

struct SQLiteFailure: Error, CustomStringConvertible {
    let description: String
}

/// A connection as any SQLite tool has one, with the durability and cache of a store.
final class RawDatabase {
    private let handle: OpaquePointer

    init(_ path: String) throws {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else { throw SQLiteFailure(description: "cannot open \(path)") }
        handle = opened
        sqlite3_busy_timeout(opened, 10_000)
        let durability = Durability.current
        try execute("PRAGMA journal_mode=\(durability.journalMode); PRAGMA synchronous=\(durability.synchronous)")
        // Not temp_store=MEMORY: a statement's own journal is several times slower in memory, and no tool sets it.
        try execute("PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF")
    }

    deinit { sqlite3_close_v2(handle) }

    func withHandle(_ body: (OpaquePointer) throws -> Void) rethrows { try body(handle) }

    func execute(_ sql: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw failure(sql) }
    }

    func prepare(_ sql: String) throws -> RawStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(sql) }
        return RawStatement(statement)
    }

    func text(_ sql: String) throws -> String {
        let statement = try prepare(sql)
        guard sqlite3_step(statement.handle) == SQLITE_ROW, let text = sqlite3_column_text(statement.handle, 0) else {
            throw failure(sql)
        }
        return String(cString: text)
    }

    func integer(_ sql: String) throws -> Int {
        let statement = try prepare(sql)
        guard sqlite3_step(statement.handle) == SQLITE_ROW else { throw failure(sql) }
        return Int(sqlite3_column_int64(statement.handle, 0))
    }

    /// One immediate transaction.
    func transaction(_ body: () throws -> Void) throws {
        try execute("BEGIN IMMEDIATE")
        try body()
        try execute("COMMIT")
    }

    private func failure(_ sql: String) -> SQLiteFailure {
        SQLiteFailure(description: "\(String(cString: sqlite3_errmsg(handle))): \(sql)")
    }
}

/// A prepared statement; what is bound by pointer is alive until the step.
final class RawStatement {
    let handle: OpaquePointer

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { sqlite3_finalize(handle) }

    @inline(__always)
    func bind(_ index: Int32, _ text: UnsafeRawBufferPointer) {
        _ = kenh_bind_text_static(handle, index, text.baseAddress, Int32(text.count))
    }

    @inline(__always)
    func run() throws {
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw SQLiteFailure(description: String(cString: sqlite3_errstr(code))) }
    }
}
