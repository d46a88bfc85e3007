import KenhMerge
import KenhTesting

/// Plays a history step by step and compares every node with the model as it goes.
struct HistoryRun: Sendable {
    private(set) var log: [LoggedChange] = []
    var nodes: [SimulatedNode] = []
    private var lines = 0
    private let seed: UInt64

    init(_ history: History) {
        seed = history.seed
        var generator = SeededGenerator(seed: history.seed ^ 0x5EED)
        for number in 0..<max(history.nodes, 1) {
            nodes.append(
                SimulatedNode(
                    replica: .random(using: &generator), line: nextLine(),
                    tableColumns: .first(History.columnCount - (number % 3 == 1 ? 1 : 0))))
        }
    }

    private mutating func nextLine() -> Int {
        defer { lines += 1 }
        return lines
    }

    mutating func perform(_ step: HistoryStep) throws(BrokenLaw) {
        switch step {
        case .write(let draft): try write(draft)
        case .deliver(let node, let changes, let salt): try deliver(to: node % nodes.count, changes, salt: salt)
        case .repack(let node): try nodes[node % nodes.count].repack()
        case .upgrade(let node): try nodes[node % nodes.count].upgrade()
        case .clone(let node): clone(node % nodes.count)
        case .retime(let change, let milliseconds): try retime(change, milliseconds)
        }
    }

    private mutating func write(_ draft: Draft) throws(BrokenLaw) {
        let node = draft.node % nodes.count
        guard let logged = try logged(draft, by: node) else { return }
        log.append(logged)
        nodes[node].lastWritten = logged.number
        nodes[node].lastCounter = logged.change.name.counter
        if let line = nodes[node].lineAfter(logged.change, of: draft) {
            try nodes[node].mergeWritten(logged, line: line)
        } else {
            try nodes[node].merge([logged])
        }
    }

    private mutating func logged(_ draft: Draft, by index: Int) throws(BrokenLaw) -> LoggedChange? {
        let row = "r\(draft.row)"
        guard let (kind, values) = nodes[index].change(for: draft, row: row) else { return nil }
        let predecessors = try nodes[index].predecessors(for: draft, kind: kind, columns: Set(values.keys), row: row)
        let place = nextPlace(index, startsBlock: draft.milliseconds.isMultiple(of: 2))
        let numbers = log.filter { predecessors.contains($0.change.name) }
        let floor = draft.keepsFloor ? numbers.map(\.change.clock).max() : nil
        let name = ModelName(
            replica: nodes[index].replica, counter: nodes[index].lastCounter + 1, block: place.hash)
        return LoggedChange(
            number: log.count, line: nodes[index].line,
            change: ModelChange(
                name: name, row: row, kind: kind, values: values, predecessors: predecessors,
                clock: .stamp(nowMilliseconds: draft.milliseconds, floor: floor)),
            place: place, seen: nodes[index].applied,
            needs: Set(numbers.map(\.number) + [nodes[index].lastWritten].compactMap { $0 }))
    }

    private mutating func nextPlace(_ index: Int, startsBlock: Bool) -> BlockPlace {
        if startsBlock {
            nodes[index].block += 1
            nodes[index].indexInBlock = 0
        }
        defer { nodes[index].indexInBlock += 1 }
        var generator = SeededGenerator(
            seed: seed &+ UInt64(nodes[index].line) << 32 &+ UInt64(nodes[index].block) << 8)
        let hash = Hash256(generator.next(), generator.next(), generator.next(), generator.next())
        return BlockPlace(hash: hash, index: nodes[index].indexInBlock)
    }

    /// The disk is copied; both go on from the same counter, each on a line of its own.
    private mutating func clone(_ index: Int) {
        guard nodes.count < 8 else { return }
        var copy = nodes[index]
        copy.line = nextLine()
        nodes[index].line = nextLine()
        nodes.append(copy)
    }

    private mutating func retime(_ number: Int, _ milliseconds: Int64) throws(BrokenLaw) {
        guard !log.isEmpty else { return }
        let number = number % log.count
        let clock = HybridClock(milliseconds: milliseconds)
        guard clock < log[number].change.clock else { return }
        log[number].change.clock = clock
        for node in nodes.indices { try nodes[node].lowerClock(of: log[number], to: clock) }
    }
}
