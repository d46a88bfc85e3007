import KenhMerge

extension Store {
    /// Whether pages of the file, or of a journal beside it, may still hold what was erased.
    public func isUnclean() throws(StoreError) -> Bool { try reading { try $0.isUnclean } }

    /// Writes the file anew without what was freed, and empties the journal, where something was erased since this was
    /// done last. Needs as much room as the store has, and nobody else in the middle of a transaction.
    ///
    /// - Throws: ``StoreError``: `busy`, `diskFull`, …: what was erased is gone from everywhere else, try again.
    public func clean() throws(StoreError) {
        guard try isUnclean() else { return }
        try outsideTransactions { core in
            // What another process erases meanwhile is not done with this.
            let asked = try core.meta.integer(StoreCore.cleaningsAskedKey) ?? 0
            try core.limits.durability.scrub(core.sql) { _ in
                let done = try core.meta.integer(StoreCore.cleaningsDoneKey) ?? 0
                try core.meta.set(StoreCore.cleaningsDoneKey, .integer(max(asked, done)))
            }
        }
    }

    /// As ``clean()``, for those who go on all the same: what cannot be done now is done later.
    /// - Returns: whether it is done.
    func cleanIfPossible() throws(StoreError) -> Bool {
        guard try isUnclean() else { return true }
        do { try clean() } catch { return false }
        return true
    }
}

extension StoreCore {
    static let cleaningsAskedKey = "cleanings_asked"
    static let cleaningsDoneKey = "cleanings_done"

    var isUnclean: Bool {
        get throws(StoreError) {
            try meta.integer(Self.cleaningsAskedKey) ?? 0 > meta.integer(Self.cleaningsDoneKey) ?? 0
        }
    }

    func askForCleaning() throws(StoreError) {
        try meta.set(Self.cleaningsAskedKey, .integer((meta.integer(Self.cleaningsAskedKey) ?? 0) &+ 1))
    }
}

extension Durability {
    /// Leaves nothing in the file, or in the journal beside it, that is no part of the database any more.
    ///
    /// - Parameter finish: done in the transaction that empties the journal.
    func scrub(_ sql: StatementCache, finish: (StatementCache) throws -> Void) throws {
        try sql.execute("VACUUM")
        if journalMode == Self.writeAheadLog.journalMode { try truncateLog(sql) }
        // With this limit the next commit cuts the journal to nothing, where it else zeroes its header alone.
        try sql.execute("PRAGMA journal_size_limit=0")
        defer { try? sql.execute("PRAGMA journal_size_limit=\(Self.journalLimitBytes)") }
        try sql.execute("BEGIN IMMEDIATE")
        do {
            try finish(sql)
            try sql.execute("COMMIT")
        } catch {
            try? sql.execute("ROLLBACK")
            throw error
        }
    }

    private func truncateLog(_ sql: StatementCache) throws {
        let checkpoint = try sql("PRAGMA wal_checkpoint(TRUNCATE)")
        defer { checkpoint.reset() }
        guard try checkpoint.step(), checkpoint.int(0) == 0 else {
            throw StoreError(.busy, "another program reads the store", advice: "try again", recovery: .retry)
        }
    }
}
