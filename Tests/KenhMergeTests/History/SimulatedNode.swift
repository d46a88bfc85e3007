import KenhMerge
import KenhTesting

/// A node with the real row states, a plain dictionary for its table, and the naive model beside them.
struct SimulatedNode: Sendable {
    let replica: ReplicaID
    var line: Int
    var lastCounter: UInt64 = 0
    var lastWritten: Int?
    var block = 0
    var indexInBlock: UInt64 = 0

    var applied: Set<Int> = []
    var names = LocalNames()
    var states: [String: RowState] = [:]
    var table: [String: [Int: Value]] = [:]
    var tableColumns: ColumnSet
    /// Kept up at each merge.
    var digest = Digest128.zero
    var model = ModelNode()
    /// Deleted for good.
    var finals: Set<ModelName> = []

    init(replica: ReplicaID, line: Int, tableColumns: ColumnSet) {
        self.replica = replica
        self.line = line
        self.tableColumns = tableColumns
    }

    func state(_ row: String) -> RowState { states[row] ?? RowState() }

    /// Applies changes in their order; the changes of one row are settled together, as the store does it.
    mutating func merge(_ batch: [LoggedChange]) throws(BrokenLaw) {
        let rows = Set(batch.map(\.change.row)).sorted()
        for row in rows { try merge(batch.filter { $0.change.row == row }, into: row) }
        try checkDigest()
    }

    private mutating func merge(_ changes: [LoggedChange], into row: String) throws(BrokenLaw) {
        var state = state(row)
        let before = try digest(of: state, row: row)
        if changes.contains(where: { finals.contains($0.change.name) }) { lift(&state, row: row) }
        for (source, logged) in changes.enumerated() { try apply(logged, to: &state, source: Int32(source)) }
        try settle(&state, row: row, changes: changes)
        try keep(state, row: row, before: before)
    }

    /// A write whose values plain SQL has put into the table already.
    mutating func mergeWritten(_ logged: LoggedChange, line: [Int: Value]) throws(BrokenLaw) {
        let row = logged.change.row
        var state = state(row)
        let before = try digest(of: state, row: row)
        table[row] = line
        try apply(logged, to: &state, source: Write.inTable)
        if logged.change.kind == .add { Self.hold(logged.change, in: &state, line: line) }
        try settle(&state, row: row, changes: [])
        try keep(state, row: row, before: before)
        try checkDigest()
    }

    /// What a sealer does with an addition: the table shows the sum already.
    private static func hold(_ change: ModelChange, in state: inout RowState, line: [Int: Value]) {
        state.writes[state.writes.count - 1].held = change.values.sorted { $0.key < $1.key }.map {
            HeldValue(column: UInt8($0.key), value: $0.value)
        }
        state.holdBases { line[$0] ?? .null }
    }

    mutating func lowerClock(of logged: LoggedChange, to clock: HybridClock) throws(BrokenLaw) {
        let (row, name) = (logged.change.row, logged.change.name)
        guard applied.contains(logged.number), let dot = names.dot(of: name) else { return }
        var state = state(row)
        let before = try digest(of: state, row: row)
        for i in state.writes.indices where state.writes[i].dot == dot { state.writes[i].clock = clock }
        model.lowerClock(of: name, inRow: row, to: clock)
        try settle(&state, row: row, changes: [])
        try keep(state, row: row, before: before)
    }

    /// Some writes are deleted for good, whether they are here or not.
    mutating func finish(_ writes: Set<ModelName>) throws(BrokenLaw) {
        finals.formUnion(writes)
        model.finish(writes)
        let dots = Set(writes.compactMap { names.dot(of: $0) })
        for row in states.keys.sorted() {
            var state = state(row)
            guard state.writes.contains(where: { dots.contains($0.dot) }) else { continue }
            let before = try digest(of: state, row: row)
            lift(&state, row: row)
            state.drop(dots.contains)
            try settle(&state, row: row, changes: [])
            try keep(state, row: row, before: before)
        }
        try checkDigest()
    }

    /// Takes a row's line out of the table, all its values into the state.
    private mutating func lift(_ state: inout RowState, row: String) {
        guard let line = table[row] else { return }
        state.place(tableColumns: [], order: names, incoming: { _, _ in .null }) { line[$0] ?? .null }
        table[row] = nil
    }

    mutating func upgrade() throws(BrokenLaw) {
        tableColumns = .first(History.columnCount)
        for (row, old) in states {
            var state = old
            try settle(&state, row: row, changes: [])
            try keep(state, row: row, before: try digest(of: old, row: row))
        }
    }

    mutating func repack() throws(BrokenLaw) {
        for (row, state) in states { states[row] = try Self.repacked(state) }
    }

    private mutating func apply(
        _ logged: LoggedChange, to state: inout RowState, source: Int32
    ) throws(BrokenLaw) {
        try BrokenLaw.unless(applied.insert(logged.number).inserted, "change \(logged.number) came twice")
        let change = logged.change
        var predecessors: [Dot] = []
        for name in change.predecessors {
            guard let dot = names.dot(of: name) else { throw BrokenLaw("\(name) is named but was never met") }
            predecessors.append(dot)
        }
        state.apply(
            Change(
                dot: names.intern(logged), clock: change.clock, kind: change.kind,
                columns: ColumnSet(change.values.keys), source: source),
            predecessors: predecessors[...])
        if finals.contains(change.name) { state.drop { $0 == names.dot(of: change.name) } }
        model.apply(change)
    }

    private mutating func keep(_ state: RowState, row: String, before: Digest128) throws(BrokenLaw) {
        digest -= before
        digest += try digest(of: state, row: row)
        states[row] = state
        try check(row)
    }
}

extension ColumnSet {
    init(_ columns: some Sequence<Int>) {
        self = columns.reduce(into: []) { set, column in
            set.formUnion(column == ModelStamp.existence ? .existence : .column(column))
        }
    }
}
