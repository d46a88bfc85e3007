import KenhMerge

extension FuzzTarget {
    /// A packed row state from a damaged file: what it decodes to survives packing, and nothing done with it traps.
    static let rowState = FuzzTarget("row-state", seeds: { try RowStateFuzz.seeds() }) { bytes in
        var input = FuzzInput(bytes)
        let operations = input.chunk()
        guard var state = try? RowState(packed: input.rest()) else { return }
        try RowStateFuzz.checkPacking(state)
        var choices = FuzzInput(operations)
        while !choices.isAtEnd { try RowStateFuzz.step(&state, &choices) }
        try RowStateFuzz.checkPacking(state)
    }
}

private enum RowStateFuzz {
    struct Order: DotOrder {
        func replica(ofBranch branch: UInt32) -> ReplicaID { ReplicaID(high: UInt64(branch & 3), low: 0) }
        func blockHash(of dot: Dot) -> Hash256 { Hash256(UInt64(dot.branch), dot.counter, 0, 0) }
    }

    static func checkPacking(_ state: RowState) throws {
        var placed = state
        placed.placeAllInTable()
        var writer = ByteWriter()
        placed.pack(into: &writer)
        let again = try? RowState(packed: writer.bytes)
        try require(again == placed, "a packed state comes back changed")
    }

    static func step(_ state: inout RowState, _ input: inout FuzzInput) throws {
        switch input.below(6) {
        case 0: apply(&state, &input)
        case 1: settle(&state, columns: ColumnSet(rawValue: input.word()).subtracting(.existence))
        case 2: try checkConflicts(state)
        case 3: try checkDigest(state)
        case 4: _ = state.predecessors(ofWriteTo: ColumnSet(rawValue: input.word()))
        default: _ = state.winner(input.below(64), in: Order())
        }
    }

    private static func apply(_ state: inout RowState, _ input: inout FuzzInput) {
        let seen = state.writes.map(\.dot).filter { _ in input.flag() }
        let kind = input.pick([ChangeKind.insert, .update, .delete])
        let change = Change(
            dot: Dot(branch: UInt32(input.below(4)), counter: UInt64(input.byte())), clock: input.clock(), kind: kind,
            columns: kind == .delete ? [] : ColumnSet(rawValue: input.word()).subtracting(.existence), source: 0)
        state.apply(change, predecessors: seen[...])
    }

    private static func settle(_ state: inout RowState, columns: ColumnSet) {
        _ = state.settle(wasShown: state.isShown, tableColumns: columns, order: Order())
        state.place(
            tableColumns: columns, order: Order(), incoming: { _, _ in .null }, fetched: { .integer(Int64($0)) })
    }

    private static func checkConflicts(_ state: RowState) throws {
        let conflicts = state.conflicts(order: Order())
        try require(conflicts.isEmpty || state.mayConflict, "a conflict that is not announced")
        for case .column(let column, let shown, let losers) in conflicts {
            try require(!losers.contains(shown), "column \(column) loses against itself")
            try require(state.winner(column, in: Order()) == shown, "column \(column) shows another than its winner")
        }
    }

    private static func checkDigest(_ state: RowState) throws {
        func digest(_ state: RowState) -> Digest128 {
            state.digest(row: .zero, columns: [DigestHasher.name("a"), DigestHasher.name("b")]) { dot in
                BlockPlace(hash: Order().blockHash(of: dot), index: 0)
            }
        }
        let reversed = RowState(writes: state.writes.reversed())
        try require(digest(state) == digest(reversed), "the digest depends on the order of writes")
    }

    static func seeds() throws -> [[UInt8]] {
        var state = RowState()
        let clock = HybridClock(milliseconds: FuzzWorld.now)
        for branch in 0..<3 as Range<UInt32> {
            state.apply(
                Change(
                    dot: Dot(branch: branch, counter: 1), clock: clock, kind: .insert, columns: .first(3), source: 0),
                predecessors: [])
        }
        state.place(tableColumns: .first(2), order: Order(), incoming: { _, _ in "x" }, fetched: { _ in 1 })
        var writer = ByteWriter()
        state.pack(into: &writer)
        var output = FuzzOutput()
        output.chunk([0, 1, 0, 255, 1, 2, 0, 0, 7, 2, 3, 4, 1, 255, 255, 1, 1, 0, 2, 5, 1])
        return [output.bytes + writer.bytes]
    }
}
