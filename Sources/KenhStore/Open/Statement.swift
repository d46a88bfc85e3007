import CSQLite
import KenhMerge

/// A prepared statement on the C handle, with binds that do not copy. What is bound by pointer has to live until the
/// statement was stepped; every use here binds and steps within one function.
package final class Statement {
    let handle: OpaquePointer
    private let database: OpaquePointer

    init(_ database: OpaquePointer, _ sql: String) throws(StoreError) {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw StoreError(sqlite: code, on: database) }
        handle = statement
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: binding, parameters from 1

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Double) { sqlite3_bind_double(handle, index, value) }

    @inline(__always)
    package func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    @inline(__always)
    package func bind(_ index: Int32, text: UnsafeRawBufferPointer) {
        _ = kenh_bind_text_static(handle, index, text.baseAddress ?? Self.empty, Int32(text.count))
    }

    @inline(__always)
    package func bind(_ index: Int32, blob: UnsafeRawBufferPointer) {
        _ = kenh_bind_blob_static(handle, index, blob.baseAddress, Int32(blob.count))
    }

    /// Copies; for values that do not outlive the call.
    package func bind(_ index: Int32, copying text: String) {
        sqlite3_bind_text(handle, index, text, -1, Self.transient)
    }

    package func bind(_ index: Int32, copying blob: [UInt8]) {
        if blob.isEmpty {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            sqlite3_bind_blob(handle, index, blob, Int32(blob.count), Self.transient)
        }
    }

    package func bind(_ index: Int32, copying value: Value) {
        switch value {
        case .null: bindNull(index)
        case .integer(let x): bind(index, x)
        case .real(let x): bind(index, x)
        case .text(let x): bind(index, copyingText: x)
        case .blob(let x): bind(index, copying: x)
        }
    }

    package func bind(_ index: Int32, copyingText bytes: [UInt8]) {
        bytes.withUnsafeBytes {
            let start = ($0.baseAddress ?? Self.empty).assumingMemoryBound(to: CChar.self)
            _ = sqlite3_bind_text(handle, index, start, Int32(bytes.count), Self.transient)
        }
    }

    nonisolated(unsafe) private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    nonisolated(unsafe) private static let empty: UnsafeRawPointer = {
        UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
    }()

    // MARK: running

    /// True while there is a row; the statement is reset once there is none.
    @inline(__always)
    package func step() throws(StoreError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let error = StoreError(sqlite: code, on: database)
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs to the end.
    @inline(__always)
    package func run() throws(StoreError) {
        while try step() {}
    }

    /// As ``run()``, but says false where a row with this id exists already.
    package func runUnlessConstraint() throws(StoreError) -> Bool {
        // GRDB's connections give extended codes.
        let code = sqlite3_step(handle) & 0xff
        let failure = code == SQLITE_DONE || code == SQLITE_CONSTRAINT ? nil : StoreError(sqlite: code, on: database)
        sqlite3_reset(handle)
        if let failure { throw failure }
        return code == SQLITE_DONE
    }

    @inline(__always)
    package func reset() { sqlite3_reset(handle) }

    // MARK: columns, from 0, good until the next step

    @inline(__always)
    package func int(_ index: Int32) -> Int64 { sqlite3_column_int64(handle, index) }

    @inline(__always)
    package func isNull(_ index: Int32) -> Bool { sqlite3_column_type(handle, index) == SQLITE_NULL }

    @inline(__always)
    package func bytes(_ index: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, index)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))
    }

    package var columnCount: Int { Int(sqlite3_column_count(handle)) }

    package func array(_ index: Int32) -> [UInt8] { Array(bytes(index)) }

    package func string(_ index: Int32) -> String { String(decoding: bytes(index), as: UTF8.self) }

    package func value(_ index: Int32) -> Value {
        switch sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: .integer(int(index))
        case SQLITE_FLOAT: .real(sqlite3_column_double(handle, index))
        case SQLITE_TEXT: .text(array(index))
        case SQLITE_BLOB: .blob(array(index))
        default: .null
        }
    }
}

extension StoreError {
    /// What SQLite answered, in words that say what to do next.
    init(sqlite code: Int32, on database: OpaquePointer?) {
        let detail = database.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        self.init(sqliteCode: code, detail: detail)
    }

    init(sqliteCode code: Int32, detail: String) {
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED:
            self.init(
                .busy, "the store is in use by another program", advice: "try again in a moment", recovery: .retry)
        case SQLITE_FULL:
            self.init(.diskFull, "the disk is full", advice: "free some space; nothing was changed", recovery: .retry)
        case SQLITE_READONLY:
            self.init(.readOnly, "the store cannot be written", advice: "check the permissions of file and folder")
        case SQLITE_NOTADB:
            self.init(.notADatabase, "the file is no SQLite database", advice: "check --home or restore a backup")
        case SQLITE_CORRUPT:
            self.init(.corrupt, "the store is damaged: \(detail)", advice: "keep the file and restore a backup")
        case SQLITE_CANTOPEN:
            self.init(.io, "the store cannot be opened", advice: "check that its folder exists and may be written")
        case SQLITE_CONSTRAINT:
            self.init(.refusedValue, detail)
        default:
            self.init(.io, "SQLite says: \(detail) (\(code))")
        }
    }
}

/// A statement that runs for every row: looked up by its text once.
final class RowStatement {
    private let sql: StatementCache
    private let text: String
    private var statement: Statement?

    init(_ sql: StatementCache, _ text: String) {
        self.sql = sql
        self.text = text
    }

    @inline(__always)
    func callAsFunction() throws(StoreError) -> Statement {
        if let statement { return statement }
        let prepared = try sql(text)
        statement = prepared
        return prepared
    }
}

/// Statements by their text, prepared once a connection.
package final class StatementCache {
    private let database: OpaquePointer
    private var statements: [String: Statement] = [:]

    init(_ database: OpaquePointer) { self.database = database }

    package func callAsFunction(_ sql: String) throws(StoreError) -> Statement {
        if let known = statements[sql] {
            // One that an error left half-run would silently keep its old parameters.
            known.reset()
            return known
        }
        let statement = try Statement(database, sql)
        statements[sql] = statement
        return statement
    }

    /// Runs SQL without results, any number of statements.
    package func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(database, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw StoreError(sqlite: code, on: database) }
    }

    func clear() { statements = [:] }
}
