import KenhMerge

/// What every change of a body has beside its values, each in an array of its own.
struct ChangeColumns {
    private(set) var kinds: [UInt64] = []
    private(set) var tables: [UInt64] = []
    private(set) var ids = ByteRun()
    private(set) var clocks: [UInt64] = []
    /// Of the changes that carry columns, and the tables of those.
    private(set) var masks: [UInt64] = []
    private(set) var maskTables: [Int] = []
    private(set) var predecessorCounts: [UInt64] = []
    private(set) var predecessorRefs: [UInt64] = []
    private(set) var predecessorCounters: [UInt64] = []
    private(set) var firstClock = HybridClock(rawValue: .max)
    private(set) var lastClock = HybridClock(rawValue: 0)

    var count: Int { kinds.count }

    mutating func append(
        _ kind: ChangeKind, table: Int, id: UnsafeRawBufferPointer, clock: HybridClock, columns: ColumnSet,
        predecessors: [WireDot]
    ) {
        kinds.append(UInt64(kind.rawValue))
        tables.append(UInt64(table))
        ids.append(id)
        clocks.append(clock.rawValue)
        firstClock = min(firstClock, clock)
        lastClock = max(lastClock, clock)
        if kind != .delete {
            masks.append(columns.rawValue)
            maskTables.append(table)
        }
        predecessorCounts.append(UInt64(predecessors.count))
        for dot in predecessors {
            predecessorRefs.append(UInt64(dot.reference))
            predecessorCounters.append(dot.counter)
        }
    }
}
