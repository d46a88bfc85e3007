import CSQLite

/// How a store's file is written, chosen by the version of SQLite and read back after opening.
///
/// SQLite 3.7.0 to 3.51.2 can corrupt a WAL file when two connections write or checkpoint at once, and other programs
/// may write a store at any time: there a rollback journal with `synchronous=EXTRA` is used, else WAL with `FULL`.
/// The journal is kept and its header zeroed (`PERSIST`), which commits like its deletion does, without two syncs of the
/// folder: a commit takes a third less, and four times less where the disk is busy.
public struct Durability: Sendable, Equatable {
    public let journalMode: String
    /// 2 is FULL, 3 is EXTRA.
    public let synchronous: Int64

    public static let rollbackJournal = Durability(journalMode: "persist", synchronous: 3)
    public static let writeAheadLog = Durability(journalMode: "wal", synchronous: 2)

    /// Of what can be made again from its beginning.
    static let scratch = Durability(journalMode: "memory", synchronous: 0)

    public static func forSQLite(versionNumber: Int32) -> Durability {
        versionNumber >= 3_051_003 ? writeAheadLog : rollbackJournal
    }

    public static var current: Durability { forSQLite(versionNumber: sqlite3_libversion_number()) }

    /// What a journal that is kept may take on the disk between transactions.
    static let journalLimitBytes = 4 << 20

    /// Sets the modes and refuses to go on unless SQLite confirms them.
    func apply(_ sql: StatementCache) throws(StoreError) {
        try sql.execute("PRAGMA journal_mode=\(journalMode)")
        try sql.execute("PRAGMA synchronous=\(synchronous)")
        try sql.execute("PRAGMA journal_size_limit=\(Self.journalLimitBytes)")
        try check(sql)
    }

    /// Takes another file for the journal after a commit that failed on the disk. Its header may not be zeroed there, and
    /// what the next transaction writes over it would leave a journal that brings back half of what it should.
    func renewJournal(_ sql: StatementCache) {
        guard journalMode == Self.rollbackJournal.journalMode else { return }
        try? sql.execute("PRAGMA journal_mode=delete")
        try? sql.execute("PRAGMA journal_mode=\(journalMode)")
    }

    func check(_ sql: StatementCache) throws(StoreError) {
        let mode = try Self.read(sql, "PRAGMA journal_mode") { $0.string(0) }
        let level = try Self.read(sql, "PRAGMA synchronous") { $0.int(0) }
        guard mode == journalMode, level == synchronous else {
            throw StoreError(
                .notDurable,
                "the store would not survive a power cut (journal \(mode ?? "?"), synchronous \(level ?? -1))",
                advice: "close other programs that use it and try again")
        }
    }

    private static func read<T>(_ sql: StatementCache, _ pragma: String, _ get: (Statement) -> T) throws(StoreError)
        -> T?
    {
        let statement = try sql(pragma)
        defer { statement.reset() }
        return try statement.step() ? get(statement) : nil
    }
}
