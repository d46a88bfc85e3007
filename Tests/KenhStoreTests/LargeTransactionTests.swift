import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct LargeTransactionTests {
    private static let rows = 200_000

    @Test("a transaction of 200,000 rows is one group of blocks, and nothing of it shows until the last is there")
    func oneGroup() throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try a.sql(
            """
            INSERT INTO task(id, channel, title, points)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            SELECT printf('%032x', i * 2654435761 % 4294967296), 'plan/1', 'task ' || i, i FROM n
            """, [.integer(Int64(Self.rows))])
        try organisation.send(a)
        let blocks = organisation.waiting(for: b)
        #expect(blocks.count == (Self.rows + Limits.changesPerSealedBlock - 1) / Limits.changesPerSealedBlock)
        #expect(blocks.map(\.header.isGroupEnd) == (1...blocks.count).map { $0 == blocks.count })
        #expect(blocks.reduce(0) { $0 + Int($1.header.count) } == Self.rows)
        for number in 1..<blocks.count {
            let report = try organisation.receive(b, upTo: 1)
            #expect(report.changes == 0 && report.newBlocks == 1 && report.heldBlocks == number)
        }
        #expect(try b.count("SELECT count(*) FROM task") == 0)
        #expect(try b.store.status().heldBlocks == blocks.count - 1)
        let report = try organisation.receive(b)
        #expect(report.changes == Self.rows && report.heldBlocks == 0)
        try organisation.exchange(deep: false)
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM task") } == Int64(Self.rows))
        #expect(try b.count("SELECT sum(points) FROM task") == Int64(Self.rows) * Int64(Self.rows + 1) / 2)
    }

    @Test("blocks that come in any order, twice, and with gaps end in the same state")
    func anyOrder() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        var random = SeededGenerator(seed: 11)
        for round in 1...12 {
            let cell = organisation.cells[random.below(2)]
            for _ in 1...5 {
                let id = Value.text("row\(random.below(12))")
                switch random.below(4) {
                case 0: try cell.sql("INSERT OR REPLACE INTO item(id, title) VALUES(?, ?)", [id, .text("r\(round)")])
                case 1: try cell.delete("item", id)
                default: try cell.update("item", id, "amount", .integer(Int64(round)))
                }
            }
            organisation.clock.advance(milliseconds: 1000)
            try cell.seal()
            if random.chance(percent: 40) { try organisation.send(cell) }
            if random.chance(percent: 40) { try organisation.receive(cell) }
        }
        for cell in organisation.cells { try organisation.send(cell) }
        let c = organisation["C"]
        var blocks = organisation.waiting(for: c)
        blocks.shuffle(using: &random)
        for block in blocks + blocks {
            let item = Delivery.Item(hash: block.hash, block: block, acceptance: nil)
            _ = try c.store.take(Delivery(items: [item], registry: organisation.registry), as: c.identity)
        }
        #expect(try c.store.status().heldBlocks == 0)
        try organisation.exchange()
    }

    @Test("a block waits for one that is here and waits itself")
    func waitsForWaiting() throws {
        let organisation = try OrganisationFixture(["A", "B", "C", "D"])
        let (a, b, c, d) = (organisation["A"], organisation["B"], organisation["C"], organisation["D"])
        try d.insert("item", "x", [("title", "first")])
        try organisation.send(d)
        try organisation.receive(a)
        try a.update("item", "x", "title", "second")
        try organisation.send(a)
        try organisation.receive(b)
        try b.update("item", "x", "title", "third")
        try organisation.send(b)
        let blocks = organisation.waiting(for: c)
        try #require(blocks.count == 3)
        for (place, block) in [blocks[1], blocks[2], blocks[0]].enumerated() {
            let item = Delivery.Item(hash: block.hash, block: block, acceptance: nil)
            let report = try c.store.take(Delivery(items: [item], registry: organisation.registry), as: c.identity)
            #expect(report.heldBlocks == (place < 2 ? place + 1 : 0))
        }
        #expect(try c.value("item", "x", "title") == "third")
        #expect(try c.store.conflicts().isEmpty)
        try organisation.exchange()
    }
}
