import KenhMerge
import KenhTesting
import Testing

@Suite struct PackingTests {
    private static let cases = 20_000

    private func pack(_ state: RowState) -> [UInt8] {
        var writer = ByteWriter()
        state.pack(into: &writer)
        return writer.bytes
    }

    @Test("A row that was inserted and never touched again takes about 14 bytes")
    func size() {
        var row = RowScene()
        row.counters[3] = 100_000
        row.apply(.insert, by: 3, at: 1_700_000_000_000, values: [0: "a", 1: "b", 2: "c"])
        #expect(pack(row.state).count <= 14)
    }

    @Test("No bytes are an empty state")
    func empty() throws {
        #expect(try RowState(packed: []) == RowState())
        #expect(pack(RowState()).isEmpty)
    }

    @Test("The largest of everything comes back")
    func extremes() throws {
        let held = (0..<ColumnSet.limit).map { HeldValue(column: UInt8($0), value: .integer(.min)) }
        let state = RowState(writes: [
            Write(
                dot: Dot(branch: .max, counter: .max), clock: HybridClock(rawValue: .max), isRemoved: true,
                columns: ColumnSet(rawValue: .max), held: held),
            Write(dot: Dot(branch: 0, counter: 0), clock: HybridClock(rawValue: 0), columns: .existence),
        ])
        #expect(try RowState(packed: pack(state)) == state)
    }

    @Test("A state cut short anywhere inside a write is refused")
    func cutShort() throws {
        let bytes = pack(Self.sampleStates(seed: 1).max { $0.writes.count < $1.writes.count } ?? RowState())
        let ends = Set(bytes.indices.filter { (try? RowState(packed: Array(bytes[..<$0]))) != nil })
        #expect(ends.count < bytes.count / 8, "only between two writes can a cut go unseen")
    }

    @Test("Unknown flags and columns out of range are refused")
    func outOfRange() {
        #expect(throws: MalformedBytes.self) { try RowState(packed: [8, 0, 1, 0, 0, 1]) }
        #expect(throws: MalformedBytes.self) { try RowState(packed: [2, 0, 1, 0, 0, 1, 1, 63, 0]) }
        #expect(throws: MalformedBytes.self) { try RowState(packed: [2, 0, 1, 0, 0, 1, 64, 0, 0]) }
    }

    @Test("A delta is refused that has not exactly one integer for each of its columns")
    func halfDelta() throws {
        func delta(_ columns: ColumnSet, _ held: [HeldValue]) -> [UInt8] {
            let dot = Dot(branch: 0, counter: 1)
            let clock = HybridClock(rawValue: 0)
            return pack(RowState(writes: [Write(dot: dot, clock: clock, isDelta: true, columns: columns, held: held)]))
        }
        let (one, text) = (HeldValue(column: 1, value: 5), HeldValue(column: 1, value: "5"))
        #expect(try RowState(packed: delta(.column(1), [one])).writes[0].isDelta)
        for (columns, held): (ColumnSet, [HeldValue]) in [
            (.column(1), []), (.column(1), [text]), (.column(1), [one, one]), (.column(2), [one]),
            ([.column(1), .column(2)], [one]), ([.column(1), .existence], [one]), ([], []),
        ] { #expect(throws: MalformedBytes.self) { try RowState(packed: delta(columns, held)) } }
    }

    @Test("Random bytes are a state or are refused, and never a trap")
    func garbage() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<Self.cases {
            let count = generator.below(60)
            let limit = generator.chance(percent: 50) ? 256 : 12
            use((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.below(limit)) })
        }
    }

    @Test("Valid states with a few bytes changed, lost or added are a state or are refused, and never a trap")
    func mutated() {
        var generator = SeededGenerator(seed: 12)
        let states = (0..<20).flatMap { Self.sampleStates(seed: $0) }.map(pack)
        for _ in 0..<Self.cases {
            var bytes = generator.pick(states) ?? []
            for _ in 0...generator.below(4) { Self.damage(&bytes, using: &generator) }
            use(bytes)
        }
    }

    private static func sampleStates(seed: UInt64) -> [RowState] {
        let history = History(seed: seed)
        var run = HistoryRun(history)
        for step in history.steps { try? run.perform(step) }
        return run.nodes.flatMap { $0.states.values }.filter { !$0.writes.isEmpty }
    }

    private static func damage(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        let at = generator.below(bytes.count + 1)
        let random = UInt8(truncatingIfNeeded: generator.next())
        switch generator.below(4) {
        case 0: bytes.insert(random, at: at)
        case 1 where at < bytes.count: bytes.remove(at: at)
        case 2 where at < bytes.count: bytes[at] = random
        case 3 where at < bytes.count: bytes[at] ^= 1 << (random & 7)
        default: bytes.append(contentsOf: bytes.suffix(at))
        }
    }

    /// Everything that a store does with a state that it read.
    private func use(_ bytes: [UInt8]) {
        guard var state = try? RowState(packed: bytes) else { return }
        #expect((try? RowState(packed: pack(state))) == state)
        let order = RowScene()
        let settlement = state.settle(wasShown: true, tableColumns: order.columns, order: order)
        #expect(settlement.action != .insert)
        _ = state.conflicts(order: order)
        _ = state.predecessors(ofWriteTo: ColumnSet(rawValue: .max))
        _ = state.digest(row: .zero, columns: [.zero]) { _ in BlockPlace(hash: .zero, index: .max) }
        let named = state.writes.map(\.dot)
        let clock = HybridClock(rawValue: 0)
        state.apply(
            Change(dot: Dot(branch: 1, counter: 1), clock: clock, kind: .insert, columns: .column(1), source: 0),
            predecessors: named[...])
        state.place(tableColumns: order.columns, order: order) { _, _ in
            1
        } fetched: { _ in
            2
        }
        #expect(state.writes.allSatisfy { $0.source == Write.inTable })
    }
}
