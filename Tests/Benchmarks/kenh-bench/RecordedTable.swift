import CSQLite
import KenhProtocol

/// A plain table whose changes SQLite's session extension records in memory: the fastest capture that SQLite has itself,
/// without a log on disk, without merging and without a signature.
final class RecordedTable {
    let table: ItemTable
    private var session: OpaquePointer?

    init(_ table: ItemTable) throws {
        self.table = table
        try record()
    }

    deinit { stop() }

    private func stop() {
        // Unlike SQLite's other destructors it does not take NULL.
        if let session { sqlite3session_delete(session) }
        session = nil
    }

    /// Forgets what was recorded and goes on.
    func record() throws {
        stop()
        try table.database.withHandle { handle in
            try check(sqlite3session_create(handle, "main", &session))
            try check(sqlite3session_attach(session, ItemTable.name))
        }
    }

    /// What was recorded, with the old values of updated columns.
    func changeset() throws -> [UInt8] { try bytes(sqlite3session_changeset) }

    /// The same without old values.
    func patchset() throws -> [UInt8] { try bytes(sqlite3session_patchset) }

    private func bytes(
        _ make: (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Int32
    ) throws -> [UInt8] {
        var count: Int32 = 0
        var start: UnsafeMutableRawPointer?
        try check(make(session, &count, &start))
        defer { sqlite3_free(start) }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(count)))
    }

    /// Applies a changeset in one transaction. Every other conflict of two values is won by the changeset; a row that is
    /// there already stays.
    static func apply(_ changes: [UInt8], to table: ItemTable) throws {
        var changes = changes
        var conflicts = 0
        try table.database.withHandle { handle in
            try table.database.transaction {
                try check(
                    sqlite3changeset_apply(
                        handle, Int32(changes.count), &changes, nil,
                        { context, kind, _ in
                            guard kind == SQLITE_CHANGESET_DATA else { return SQLITE_CHANGESET_OMIT }
                            guard let count = context?.assumingMemoryBound(to: Int.self) else {
                                return SQLITE_CHANGESET_ABORT
                            }
                            count.pointee += 1
                            return count.pointee.isMultiple(of: 2) ? SQLITE_CHANGESET_REPLACE : SQLITE_CHANGESET_OMIT
                        }, &conflicts))
            }
        }
    }
}

private func check(_ code: Int32) throws {
    guard code == SQLITE_OK else { throw SQLiteFailure(description: String(cString: sqlite3_errstr(code))) }
}
