import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// Well-formed blocks that mean anything, of devices that lie: two stores that take them in different orders agree,
    /// and both pass the deep check.
    static let merge = FuzzTarget("merge", seeds: { MergeFuzz.seeds }) { bytes in
        let folder = try ScratchFolder()
        var fuzz = MergeFuzz(input: FuzzInput(bytes), first: try FuzzWorld.openStore(folder.path("1.db")))
        var steps = 0
        while !fuzz.input.isAtEnd, steps < 24 {
            try fuzz.step()
            steps += 1
        }
        try fuzz.finish(second: try FuzzWorld.openStore(folder.path("2.db")))
    }
}

private struct MergeFuzz {
    var input: FuzzInput
    private let first: Store
    private var lanes = HostileLanes()
    private var items: [Delivery.Item] = []
    private var taken = 0

    init(input: FuzzInput, first: Store) {
        self.input = input
        self.first = first
    }

    mutating func step() throws {
        switch input.below(4) {
        case 0, 1:
            guard let block = try lanes.block(&input, device: 1 + input.below(2)) else { return }
            append(block)
        case 2: try edit()
        default: try take()
        }
    }

    private mutating func append(_ block: Block) {
        let acceptance = Delivery.Acceptance(
            sequence: UInt64(items.count + 1), acceptedAtMilliseconds: FuzzWorld.now &+ input.number())
        items.append(Delivery.Item(hash: block.hash, block: block, acceptance: acceptance))
    }

    private mutating func take() throws {
        _ = try first.take(Delivery(items: Array(items[taken...])), as: FuzzWorld.identity(0))
        taken = items.count
    }

    /// Somebody works with the tables that the blocks made.
    private mutating func edit() throws {
        let (table, id) = (input.pick(["note", "task", "photo"]), input.below(6))
        let isPhoto = table == "photo"
        let key: Value = isPhoto ? .blob([UInt8](repeating: UInt8(id), count: 16)) : .text("r\(id)")
        let column = isPhoto ? "data" : "title"
        let value: Value = isPhoto ? .blob([1]) : "mine"
        let choice = input.below(3)
        do {
            try first.write { transaction in
                switch choice {
                case 0: try transaction.update(table, id: key, [(column, value)])
                case 1: try transaction.delete(table, id: key)
                default:
                    let channel: [(String, Value)] = table == "task" ? [("channel", "a")] : []
                    try transaction.insert(table, [("id", key), (column, value)] + channel)
                }
            }
        } catch let error as StoreError where error.code == .refusedValue {}
        guard input.flag() else { return }
        try send()
    }

    /// What was edited is known to everybody from here on.
    private mutating func send() throws {
        for block in try first.outbox(as: FuzzWorld.identity(0), limitBytes: 1 << 20).blocks
        where !items.contains(where: { $0.hash == block.hash }) {
            append(block)
            lanes.add(block, device: 0)
        }
    }

    mutating func finish(second: Store) throws {
        try send()
        try take()
        // Receipts for what the first store wrote itself, the other way round for the second.
        _ = try first.take(Delivery(items: items), as: FuzzWorld.identity(0))
        for item in items.reversed() { _ = try second.take(Delivery(items: [item]), as: FuzzWorld.identity(2)) }
        for (name, store) in [("first", first), ("second", second)] {
            _ = try store.conflicts()
            let report = try store.verify(deep: true)
            let problems = report.problems.filter { !$0.contains("is not in the registry") }
            try require(problems.isEmpty, "the \(name) store: \(problems)")
        }
        try compare(second)
    }

    private func compare(_ second: Store) throws {
        let (mine, other) = (try first.settledDigests(), try second.settledDigests())
        for (channel, digest) in mine where other[channel].map({ $0 != digest }) ?? false {
            throw FuzzFinding(description: "two stores with the same blocks differ in \(channel)")
        }
        for table in ["note", "task", "photo"] {
            let query = "SELECT * FROM \(table) ORDER BY id"
            let (a, b) = (try first.rows(query), try second.rows(query))
            try require(
                a.map { row in row.columns.map { row[$0] } } == b.map { row in row.columns.map { row[$0] } },
                "two stores with the same blocks show different lines of \(table)")
        }
    }

    static var seeds: [[UInt8]] {
        [
            [0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 24) + [3, 2, 0, 0, 0, 1],
            [0, 0, 0, 0, 1] + [UInt8](repeating: 1, count: 60) + [3, 0, 1] + Array(0..<80) + [2, 0, 1, 0, 1, 3],
            Array(0..<240), Array((0..<240).reversed()),
        ]
    }
}
