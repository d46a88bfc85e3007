/// Something in a row that people have to look at.
public enum RowConflict: Sendable, Equatable {
    /// Concurrent writes of one column: the shown one and the losers, best first, as indices of the row's writes.
    case column(Int, shown: Int, losers: [Int])
    /// Somebody deleted the row while somebody else edited it: it was kept.
    case keptDespiteDelete
}

extension RowState {
    /// Whether ``conflicts(order:)`` can be other than empty; cheap, asked at each merge.
    public var mayConflict: Bool {
        guard writes.count > 1 else { return false }
        var seen: ColumnSet = []
        var existence = (unremoved: false, removed: false)
        var alive = false
        for write in writes {
            if write.columns.contains(.existence) {
                if write.isRemoved { existence.removed = true } else { existence.unremoved = true }
            }
            if write.isRemoved { continue }
            alive = true
            // Additions never contradict each other.
            if write.isDelta { continue }
            let columns = write.columns.subtracting(.existence)
            if !seen.isDisjoint(with: columns) { return true }
            seen.formUnion(columns)
        }
        return alive && existence.removed && !existence.unremoved
    }

    /// The conflicts of a shown row. Equal values are the caller's to leave out, since the table has the shown one.
    public func conflicts(order: some DotOrder) -> [RowConflict] {
        guard isShown, mayConflict else { return [] }
        var result: [RowConflict] = []
        let existence = writes.filter { $0.columns.contains(.existence) }
        if existence.allSatisfy(\.isRemoved) { result.append(.keptDespiteDelete) }
        let columns = writes.reduce(into: ColumnSet()) { $0.formUnion($1.columns) }.subtracting(.existence)
        columns.forEach { column in
            let present = writes.indices.filter {
                !writes[$0].isRemoved && !writes[$0].isDelta && writes[$0].columns.contains(column: column)
            }
            guard present.count > 1 else { return }
            let sorted = present.sorted { writes[$1].isBelow(writes[$0], in: order) }
            result.append(.column(column, shown: sorted[0], losers: Array(sorted.dropFirst())))
        }
        return result
    }
}
