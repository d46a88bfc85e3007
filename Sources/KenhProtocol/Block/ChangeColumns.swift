import KenhMerge

/// What every change of a body has beside its values, each in an array of its own.
struct ChangeColumns {
    private(set) var kinds: [UInt64] = []
    private(set) var tables: [UInt64] = []
    private(set) var ids = ByteRun()
    /// Of each change, the dot of its row's insert by which the row may be named: reference + 1, or 0 where there is none.
    private(set) var birthRefs: [UInt64] = []
    private(set) var birthCounters: [UInt64] = []
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
        birth: WireDot?, predecessors: [WireDot]
    ) {
        kinds.append(UInt64(kind.rawValue))
        tables.append(UInt64(table))
        ids.append(id)
        birthRefs.append(birth.map { UInt64($0.reference) + 1 } ?? 0)
        birthCounters.append(birth?.counter ?? 0)
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

    func birth(of change: Int) -> WireDot? {
        guard birthRefs[change] > 0 else { return nil }
        return WireDot(reference: UInt32(birthRefs[change] - 1), counter: birthCounters[change])
    }

    /// The change's id is spelled out.
    mutating func dropBirth(of change: Int) { birthRefs[change] = 0 }
}
