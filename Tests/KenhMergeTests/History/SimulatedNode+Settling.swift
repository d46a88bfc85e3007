import KenhMerge
import KenhTesting

extension SimulatedNode {
    /// Brings the table's line to what the state says, by the settlement alone.
    mutating func settle(_ state: inout RowState, row: String, changes: [LoggedChange]) throws(BrokenLaw) {
        let old = table[row]
        let settlement = state.settle(wasShown: old != nil, tableColumns: tableColumns, order: names)
        var unknown: [String] = []
        let value = { (write: Write, column: Int) -> Value in
            if let held = write.heldValue(column) { return held }
            if changes.indices.contains(Int(write.source)),
                let value = changes[Int(write.source)].change.values[column]
            {
                return value
            }
            unknown.append("column \(column) of \(write.dot)")
            return .null
        }
        table[row] = Self.line(after: settlement, old: old) { placement in
            let column = Int(placement.column)
            var base = Value.null
            if placement.write != Placement.noWrite {
                let write = state.writes[Int(placement.write)]
                let isFetched = settlement.fetch.contains(column: column) && write.isInTable(column)
                base = isFetched ? old?[column] ?? .null : value(write, column)
            }
            guard placement.isSum else { return base }
            let sum = state.deltaSum(column) { source, column in
                changes.indices.contains(Int(source)) ? changes[Int(source)].change.values[column] ?? .null : .null
            }
            return .integer(base.counted &+ sum)
        }
        let quick = Self.isAllInTable(state, after: settlement) ? state : nil
        state.place(tableColumns: tableColumns, order: names) { source, column in
            changes.indices.contains(Int(source)) ? changes[Int(source)].change.values[column] ?? .null : .null
        } fetched: { column in
            if !settlement.fetch.contains(column: column) { unknown.append("unannounced fetch of column \(column)") }
            return old?[column] ?? .null
        }
        try BrokenLaw.unless(unknown.isEmpty, "row \(row): nobody has \(unknown)")
        try checkQuickPlacing(quick, against: state, row: row)
    }

    private static func line(
        after settlement: Settlement, old: [Int: Value]?, value: (Placement) -> Value
    ) -> [Int: Value]? {
        var line = settlement.action == .insert ? [:] : old
        if settlement.action == .delete { line = nil }
        for placement in settlement.put {
            line?[Int(placement.column)] = value(placement)
        }
        return line
    }

    /// Whether the whole batch went to the table and nothing is held, the common end of a merge.
    private static func isAllInTable(_ state: RowState, after settlement: Settlement) -> Bool {
        guard state.isShown, settlement.fetch.isEmpty else { return false }
        return state.writes.indices.allSatisfy { i in
            let write = state.writes[i]
            let put = settlement.put.filter { $0.write == i }.map { Int($0.column) }
            return write.held.isEmpty && !write.isDelta
                && (write.source == Write.inTable || ColumnSet(put) == write.columns.subtracting(.existence))
        }
    }

    private func checkQuickPlacing(_ quick: RowState?, against state: RowState, row: String) throws(BrokenLaw) {
        guard var quick else { return }
        quick.placeAllInTable()
        try BrokenLaw.unless(quick == state, "row \(row): the short way to place values ends elsewhere")
    }
}
