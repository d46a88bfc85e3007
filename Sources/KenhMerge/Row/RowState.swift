/// All that a node knows of one row beside the values that its table shows: the writes that still count.
///
/// The state is a function of the set of applied changes alone. A write is present in a column until a later write
/// to that column names it; a delete marks the writes that it names as removed and drops nothing, so that a late
/// concurrent edit brings the whole row back.
public struct RowState: Sendable, Equatable {
    public var writes: [Write]

    @inlinable
    public init(writes: [Write] = []) { self.writes = writes }

    /// Joins a change. `predecessors` are the writes that its writer saw for what it overwrites.
    ///
    /// The caller applies a change once, after the changes that it names; the order is otherwise free.
    public mutating func apply(_ change: Change, predecessors: ArraySlice<Dot>) {
        if change.kind == .delete {
            for i in writes.indices where predecessors.contains(writes[i].dot) { writes[i].isRemoved = true }
            return
        }
        let written = change.written
        let isDelta = change.kind == .add
        if !predecessors.isEmpty, !isDelta { supersede(predecessors, in: written) }
        writes.append(
            Write(dot: change.dot, clock: change.clock, isDelta: isDelta, columns: written, source: change.source))
    }

    private mutating func supersede(_ named: ArraySlice<Dot>, in columns: ColumnSet) {
        var kept = 0
        for i in writes.indices {
            if named.contains(writes[i].dot) {
                writes[i].columns.subtract(columns)
                if !writes[i].held.isEmpty {
                    writes[i].held.removeAll { columns.contains(column: Int($0.column)) }
                }
                if writes[i].columns.isEmpty { continue }
            }
            if kept != i { writes.swapAt(kept, i) }
            kept += 1
        }
        writes.removeLast(writes.count - kept)
    }

    /// Drops whole writes: their row is deleted for good.
    public mutating func drop(_ isFinal: (Dot) -> Bool) { writes.removeAll { isFinal($0.dot) } }

    /// Alive while any write is unremoved; shown only when an insert is known, too.
    @inlinable
    public var isShown: Bool {
        var alive = false
        var exists = false
        for write in writes {
            alive = alive || !write.isRemoved
            exists = exists || write.columns.contains(.existence)
        }
        return alive && exists
    }

    /// The dots that a new change by this node has to name: everything that it sees in the columns it overwrites.
    public func predecessors(ofWriteTo columns: ColumnSet) -> [Dot] {
        var dots: [Dot] = []
        for write in writes where !write.columns.isDisjoint(with: columns) { dots.append(write.dot) }
        return dots
    }

    /// The index of the write shown in a column: the highest unremoved, or where there is none the highest removed.
    /// In a counter it is the base that the deltas are added to.
    @inlinable
    public func winner(_ column: Int, in order: some DotOrder) -> Int? {
        var best: Int?
        for i in writes.indices where writes[i].columns.contains(column: column) && !writes[i].isDelta {
            guard let current = best else {
                best = i
                continue
            }
            let (a, b) = (writes[current], writes[i])
            if a.isRemoved != b.isRemoved {
                if a.isRemoved { best = i }
            } else if a.isBelow(b, in: order) {
                best = i
            }
        }
        return best
    }
}
