import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// The command and the daemon have one file open at the same time.
@Suite struct TwoConnectionsTests {
    private let organisation: OrganisationFixture
    private let cell: CellFixture
    private let other: Store

    init() throws {
        organisation = try OrganisationFixture(["A", "B"])
        cell = organisation["A"]
        other = try Store(path: cell.path, schema: TestSchema.schema)
    }

    @Test("each sees what the other sealed, and continues its lane")
    func seals() throws {
        for round in 1...4 {
            let store = round.isMultiple(of: 2) ? other : cell.store
            try store.write { try $0.insert("item", [("id", .text("row\(round)")), ("title", "t")]) }
            try store.write { try $0.execute("UPDATE item SET amount = coalesce(amount, 0) + 1") }
            #expect(try store.seal(as: cell.identity).blocks == 1)
        }
        let blocks = try cell.store.outbox(as: cell.identity, limitBytes: 1 << 20).blocks
        #expect(blocks.map(\.header.firstCounter) == [1, 3, 6, 10])
        #expect(zip(blocks, blocks.dropFirst()).allSatisfy { $0.hash == $1.header.previous })
        #expect(try other.verify(deep: true).problems == [])
        try organisation.exchange()
        #expect(try organisation["B"].count("SELECT sum(amount) FROM item") == 10)
    }

    @Test("each sees what the other merged, new channels and tables' rows included")
    func merges() throws {
        try organisation["B"].insert("task", "t", [("channel", "plan/9"), ("points", 1)])
        try organisation.send(organisation["B"])
        _ = try other.status()
        try organisation.receive(cell)
        try other.write { try $0.update("task", id: "t", [("points", 2)]) }
        #expect(try other.seal(as: cell.identity).changes == 1)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("task", "t", "points") } == 2)
        #expect(try organisation["B"].store.conflicts().isEmpty)
        #expect(try other.verify(deep: true).problems == [])
    }

    @Test("a transaction that failed leaves nothing behind in memory")
    func afterFailure() throws {
        try cell.insert("task", "t", [("channel", "plan/1")])
        var random = SeededGenerator(seed: 3)
        let unknown = Hash256(random.next(), 0, 0, 0)
        let item = Delivery.Item(
            hash: unknown, block: nil, acceptance: .init(sequence: 1, acceptedAtMilliseconds: 0))
        let error = #expect(throws: StoreError.self) {
            try cell.store.take(Delivery(items: [item]), as: cell.identity)
        }
        #expect(error?.code == .notFound && error?.recovery == .resync)
        #expect(try cell.pending == 1)
        try cell.insert("task", "u", [("channel", "plan/2")])
        #expect(try cell.seal().blocks == 2)
        #expect(try cell.store.verify(deep: true).problems == [])
        try organisation.exchange()
    }

    @Test("a writer waits for the other and neither loses a change")
    func interleaved() async throws {
        let (first, second, identity) = (cell.store, other, cell.identity)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in [first, second] {
                group.addTask {
                    for _ in 1...20 {
                        try store.write { try $0.insert("item", [("title", "t")]) }
                        _ = try store.seal(as: identity)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try cell.count("SELECT count(*) FROM item") == 40)
        #expect(try cell.store.verify(deep: true).problems == [])
        try organisation.exchange()
        #expect(try organisation["B"].count("SELECT count(*) FROM item") == 40)
    }
}
