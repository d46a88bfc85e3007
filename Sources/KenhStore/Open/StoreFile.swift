import CSQLite
import Foundation
import KenhMerge

/// What a store's file must look like before anything is done with it.
enum StoreFile {
    private static let magic = Array("SQLite format 3\0".utf8)

    /// Looks at the file without SQLite, so that nothing is changed in a file that is none of ours.
    static func check(_ path: String, mustExist: Bool) throws(StoreError) {
        guard path != ":memory:" else { return }
        guard let file = fopen(path, "rb") else {
            guard mustExist else { return }
            throw StoreError(
                .notFound, "there is no store at \(path)", advice: "check --home, or join with kenh join URL")
        }
        defer { fclose(file) }
        var head = [UInt8](repeating: 0, count: magic.count)
        let count = fread(&head, 1, head.count, file)
        guard count == 0 || head == magic else {
            throw StoreError(
                .notADatabase, "\(path) is no SQLite database",
                advice: "check --home, or restore a backup; it was not touched")
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

    /// Makes Kenh's own tables in an empty file.
    static func create(_ sql: StatementCache) throws(StoreError) {
        guard try pragma(sql, "application_id") != SystemTables.applicationID else { return }
        try sql.execute(SystemTables.ddl)
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
