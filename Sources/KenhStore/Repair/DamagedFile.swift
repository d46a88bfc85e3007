import CSQLite
import Foundation
import KenhMerge

/// A SQLite file that may be damaged anywhere, read line by line: what cannot be read is passed over. It is never
/// written.
package final class DamagedFile {
    private let handle: OpaquePointer
    /// A copy with a header in order, where the file's own is not.
    private let copy: URL?
    private let sql: StatementCache

    /// Numbers that a table's lines may have between those that were found: more are not looked up one by one.
    private static let gapLimit: Int64 = 10_000_000

    /// - Throws: ``StoreError`` where SQLite cannot open it at all.
    package init(path: String) throws(StoreError) {
        copy = try FileHeader.copyWithGoodHeader(of: path)
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            copy?.path ?? path, &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let error = StoreError(sqlite: code, on: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        sql = StatementCache(opened)
        sqlite3_busy_timeout(opened, 10_000)
        // So that a damaged line of the catalogue, of a trigger mostly, does not hide all other tables.
        try? sql.execute("PRAGMA writable_schema=ON")
    }

    deinit {
        sql.clear()
        sqlite3_close_v2(handle)
        if let copy { try? FileManager.default.removeItem(at: copy) }
    }

    /// What a query gives up to the first line that cannot be read.
    package func lines<T>(_ text: String, _ get: (Statement) throws -> T?) -> [T] {
        guard let read = try? sql(text) else { return [] }
        defer { read.reset() }
        var lines: [T] = []
        while (try? read.step()) == true {
            if let line = try? get(read) { lines.append(line) }
        }
        return lines
    }

    /// The line with this key, if it can be read.
    package func line<T>(_ text: String, _ key: Int64, _ get: (Statement) throws -> T?) -> T? {
        guard let read = try? sql(text) else { return nil }
        defer { read.reset() }
        read.bind(1, key)
        guard (try? read.step()) == true else { return nil }
        return try? get(read)
    }

    /// Numbers that the lines of a table may have. It is gone through from both ends; a page in the middle that cannot
    /// be passed may hide numbers that a look-up still finds.
    package func numbers(of table: String, _ column: String) -> [Int64] {
        let up = lines("SELECT \(column) FROM \(table) NOT INDEXED ORDER BY \(column)") { $0.int(0) }
        let down = lines("SELECT \(column) FROM \(table) NOT INDEXED ORDER BY \(column) DESC") { $0.int(0) }
        guard let low = (up + down).min(), let high = (up + down).max() else { return [] }
        let (gap, isOver) = high.subtractingReportingOverflow(low)
        guard !isOver, gap < Self.gapLimit else { return Set(up + down).sorted() }
        return Array(low...high)
    }
}
