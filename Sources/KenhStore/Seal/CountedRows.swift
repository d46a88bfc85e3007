import KenhMerge

/// What a seal has to remember of the rows whose counters were changed here.
struct CountedRows {
    struct Row: Hashable {
        let table: Int
        let channel: Int
        let id: [UInt8]
    }

    private var changed: [Row] = []
    private var whole: Set<Row> = []

    /// The line's values were sealed as they stand now: with all differences that are still pending.
    mutating func takeWhole(_ row: @autoclosure () -> Row) { whole.insert(row()) }

    /// The line was inserted or deleted: what follows is not in what was taken before.
    mutating func begin(_ row: @autoclosure () -> Row) {
        if !whole.isEmpty { whole.remove(row()) }
    }

    func isWhole(_ row: @autoclosure () -> Row) -> Bool { !whole.isEmpty && whole.contains(row()) }

    mutating func change(_ row: Row) { changed.append(row) }

    /// The table shows the sums. Now that nothing is pending, each is its base and the additions of the state, and the
    /// base can be held.
    func holdBases(_ core: StoreCore) throws(StoreError) {
        for row in changed {
            guard let table = core.catalogue.tables[row.table],
                var state = try core.rows.states(table: table, id: row.id)[row.channel]
            else { continue }
            let line = TableLine(core: core, table: table)
            guard try line.channel(id: row.id) == row.channel, let values = try line.read(id: row.id) else { continue }
            state.holdBases { table.shownValue($0, in: values) }
            try save(state, row, table, core)
        }
    }

    private func save(_ state: RowState, _ row: Row, _ table: LocalTable, _ core: StoreCore) throws(StoreError) {
        let failure = row.id.withUnsafeBytes { id -> StoreError? in
            do throws(StoreError) {
                try core.rows.save(state, table: table, id: id, channel: row.channel, isNew: false)
            } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }
}

extension LocalTable {
    /// The value of one of this node's columns in a line of declared ones; NULL where the line does not have it.
    func shownValue(_ column: Int, in line: [Value]) -> Value {
        guard let declared = declaredNumbers.firstIndex(of: column), declared < line.count else { return .null }
        return line[declared]
    }
}

extension RowState {
    /// Whether the table has the base of one of these columns.
    func hasBaseInTable(_ columns: ColumnSet) -> Bool {
        for write in writes where !write.isDelta {
            var isThere = false
            write.columns.intersection(columns).forEach { isThere = isThere || write.isInTable($0) }
            if isThere { return true }
        }
        return false
    }
}
