import KenhMerge

/// A row that some writers, one a branch, change by hand.
struct RowScene: DotOrder {
    var state = RowState()
    var counters: [UInt32: UInt64] = [:]
    var table: [Int: Value]?
    /// Replicas by branch; a branch that is not here is a replica of its own.
    var replicas: [UInt32: ReplicaID] = [:]
    var hashes: [Dot: Hash256] = [:]
    let columns = ColumnSet.first(3)

    func replica(ofBranch branch: UInt32) -> ReplicaID { replicas[branch] ?? ReplicaID(high: 0, low: UInt64(branch)) }
    func blockHash(of dot: Dot) -> Hash256 { hashes[dot] ?? .zero }

    /// Applies and settles one change, and says by which dot it goes.
    @discardableResult
    mutating func apply(
        _ kind: ChangeKind, by branch: UInt32, at milliseconds: Int64 = 1_000, values: [Int: Value] = [:],
        seeing predecessors: [Dot] = []
    ) -> Dot {
        counters[branch, default: 0] += 1
        let dot = Dot(branch: branch, counter: counters[branch] ?? 0)
        state.apply(
            Change(
                dot: dot, clock: HybridClock(milliseconds: milliseconds), kind: kind, columns: ColumnSet(values.keys),
                source: 0),
            predecessors: predecessors[...])
        settle(values)
        return dot
    }

    mutating func settle(_ values: [Int: Value] = [:]) {
        let settlement = state.settle(wasShown: table != nil, tableColumns: columns, order: self)
        let old = table
        if settlement.action == .insert { table = [:] }
        if settlement.action == .delete { table = nil }
        for put in settlement.put {
            let column = Int(put.column)
            let write = put.write == Placement.noWrite ? nil : state.writes[Int(put.write)]
            let base = write.flatMap { $0.heldValue(column) ?? ($0.isInTable(column) ? old?[column] : values[column]) }
            let sum = state.deltaSum(column) { values[$1] ?? .null }
            table?[column] = put.isSum ? .integer((base ?? .null).counted &+ sum) : base
        }
        state.place(tableColumns: columns, order: self) {
            values[$1] ?? .null
        } fetched: {
            old?[$0] ?? .null
        }
    }

    var conflicts: [RowConflict] { state.conflicts(order: self) }

    /// The values that lost in a column, best first.
    func losers(_ column: Int) -> [Value] {
        for case .column(column, _, let losers) in conflicts {
            return losers.compactMap { state.writes[$0].heldValue(column) }
        }
        return []
    }
}
