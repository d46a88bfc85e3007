import KenhMerge

/// Shows rows and values that were kept while this node did not know their table or column.
struct Rebuilder {
    let core: StoreCore

    func showWhatWasKept() throws {
        for table in core.catalogue.tables.values.sorted(by: { $0.number < $1.number }) where table.declared != nil {
            let pass = MergePass([], core: core)
            for id in try ids(of: table) { try pass.showKept(table: table, id: id) }
        }
    }

    private func ids(of table: LocalTable) throws(StoreError) -> [[UInt8]] {
        let read = try core.sql("SELECT DISTINCT id FROM kenh_row WHERE tbl = ?")
        defer { read.reset() }
        read.bind(1, table.number)
        var ids: [[UInt8]] = []
        while try read.step() { ids.append(read.array(0)) }
        return ids
    }
}
