import KenhMerge
import KenhTesting

extension SimulatedNode {
    /// What a draft comes to where this node stands; nil where SQL would touch no row.
    func change(for draft: Draft, row: String) -> (kind: ChangeKind, values: [Int: Value])? {
        let values = draft.values.filter { tableColumns.contains(column: $0.key) }
        switch draft.kind {
        case .insert: return table[row] == nil ? (.insert, values) : nil
        case .replace, .blindInsert: return (.insert, values)
        case .update where values.isEmpty || table[row] == nil: return nil
        case .blindUpdate where values.isEmpty: return nil
        case .update, .blindUpdate: return (.update, values)
        case .delete: return table[row] == nil ? nil : (.delete, [:])
        case .add where table[row] == nil: return nil
        case .add, .blindAdd: return values.isEmpty ? nil : (.add, values)
        }
    }

    /// What the state says that the change must name; the model has to say the same.
    func predecessors(
        for draft: Draft, kind: ChangeKind, columns: Set<Int>, row: String
    ) throws(BrokenLaw) -> Set<ModelName> {
        let all = Set(0..<History.columnCount).union([ModelStamp.existence])
        let named: Set<Int>
        switch draft.kind {
        case .blindInsert, .blindUpdate, .add, .blindAdd: return []
        case .delete, .replace: named = all
        case .insert: named = columns.union([ModelStamp.existence])
        case .update: named = columns
        }
        var actual: Set<ModelName> = []
        for dot in state(row).predecessors(ofWriteTo: ColumnSet(named)) { actual.insert(try names.name(of: dot)) }
        let expected = model.row(row).predecessors(ofWriteTo: named)
        try BrokenLaw.unless(actual == expected, "a write to \(named) would name \(actual), not \(expected)")
        return actual
    }

    /// The table's line after plain SQL wrote it; nil where the merge is to bring the values.
    func lineAfter(_ change: ModelChange, of draft: Draft) -> [Int: Value]? {
        guard draft.throughTable else { return nil }
        switch draft.kind {
        case .insert: return change.values
        case .replace: return change.values.count == tableColumns.count ? change.values : nil
        case .update: return table[change.row]?.merging(change.values) { _, new in new }
        case .add:
            // A counter's column is INTEGER: a table that shows something else in it has none.
            guard let line = table[change.row],
                change.values.keys.allSatisfy({ (line[$0] ?? 0).tag == .integer })
            else { return nil }
            return line.merging(change.values) { .integer($0.counted &+ $1.counted) }
        case .blindInsert, .blindUpdate, .blindAdd, .delete: return nil
        }
    }
}
