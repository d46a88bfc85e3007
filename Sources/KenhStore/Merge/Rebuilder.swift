import KenhMerge

/// Shows rows and values that were kept while this node did not know their table or column.
struct Rebuilder {
    let core: StoreCore
    /// Set while rows are left to be shown at the end of the next seal.
    private static let isUnfinished = "shows_kept_after_seal"

    init(core: StoreCore) { self.core = core }

    /// Rows that were inserted or deleted and not sealed yet are left for later: their lines are ahead of their states.
    /// So are all unsealed ones of tables with counters, whose sums would be put back to what the states know.
    func showWhatWasKept() throws {
        var hasMore = false
        for table in core.catalogue.tables.values.sorted(by: { $0.number < $1.number }) where table.declared != nil {
            let pass = MergePass([], core: core)
            let kinds = table.counters.isEmpty ? " AND kind <> 1" : ""
            let early = try Set(ids("SELECT id FROM kenh_pending WHERE tbl = ?\(kinds)", table))
            hasMore = hasMore || !early.isEmpty
            for id in try ids("SELECT DISTINCT id FROM kenh_row WHERE tbl = ?", table) where !early.contains(id) {
                try pass.showKept(table: table, id: id)
            }
        }
        try core.meta.set(Self.isUnfinished, .integer(hasMore ? 1 : 0))
    }

    /// Called when everything is sealed.
    func finish() throws {
        if try core.meta.integer(Self.isUnfinished) == 1 { try showWhatWasKept() }
    }

    private func ids(_ sql: String, _ table: LocalTable) throws(StoreError) -> [[UInt8]] {
        let read = try core.sql(sql)
        defer { read.reset() }
        read.bind(1, table.number)
        var ids: [[UInt8]] = []
        while try read.step() { ids.append(read.array(0)) }
        return ids
    }
}
