import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Blocks that name rows by the dots of their inserts.
@Suite struct BirthNameTests {
    private static let rows = 40

    private func insertRows(_ cell: CellFixture) throws {
        for row in 0..<Self.rows { try cell.insert("item", .text("row\(row)"), [("title", .text("t\(row)"))]) }
    }

    private func unsent(_ cell: CellFixture) throws -> [BlockBody] {
        try cell.store.outbox(as: cell.identity, limitBytes: 1 << 20).blocks.map { try BlockCodec().open($0) }
    }

    @Test("updates and deletes of what others inserted travel by birth, and everybody finds the rows")
    func everybody() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        let (a, b) = (organisation["A"], organisation["B"])
        try insertRows(a)
        try organisation.exchange()
        try b.sql("UPDATE item SET title = title || '!'")
        try b.delete("item", "row7")
        let bodies = try unsent(b)
        #expect(bodies.flatMap(\.births).count == Self.rows + 1)
        #expect(bodies.allSatisfy { body in body.births.allSatisfy { body.id(of: $0.change).isEmpty } })
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "row9", "title") } == .some("t9!"))
        #expect(try organisation.everywhere { try $0.isShown("item", "row7") } == false)
    }

    @Test("on one's own line, in a later block and in a later group")
    func ownLine() throws {
        let organisation = try OrganisationFixture()
        let a = organisation["A"]
        try a.insert("item", "x", [("title", "t")], officer: "an")
        try a.update("item", "x", "title", "u", officer: "bình")
        try a.seal()
        try a.update("item", "x", "title", "v", officer: "bình")
        #expect(try unsent(a).map(\.births.count) == [0, 1, 1])
        try organisation.exchange()
        #expect(try organisation["B"].value("item", "x", "title") == "v")
    }

    @Test("whoever joins late, with an older schema, finds the rows; history and a rebuild do, too")
    func late() throws {
        let organisation = try OrganisationFixture(["A"])
        try organisation.add("newer", schema: SchemaUpgradeTests.later)
        let (a, newer) = (organisation["A"], organisation["newer"])
        try newer.sql("INSERT INTO stone(id, place, weight) VALUES('s', 'quarry/1', 1.5)")
        try insertRows(a)
        try organisation.exchange()
        try newer.sql("UPDATE stone SET weight = 2.5")
        try newer.sql("UPDATE item SET colour = 'red', title = 'new' WHERE id = 'row3'")
        try organisation.exchange()
        try organisation.add("late")
        try organisation.exchange()
        let late = organisation["late"]
        #expect(try late.value("item", "row3", "title") == "new")
        #expect(try late.store.history(table: "item", id: "row3").map(\.kind) == [.insert, .update])
        try late.upgrade(to: SchemaUpgradeTests.later)
        #expect(try late.value("stone", "s", "weight") == 2.5)
        #expect(try late.value("item", "row3", "colour") == "red")
        try organisation.check(deep: true)
    }

    @Test("a row that was deleted and inserted anew is named by its new insert, concurrent edits by the old one")
    func anew() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        let (a, b, c) = (organisation["A"], organisation["B"], organisation["C"])
        try a.insert("item", "x", [("title", "t")])
        try organisation.exchange()
        try a.delete("item", "x")
        try a.sql("INSERT INTO item(id, title) VALUES('x', 'again')")
        try b.update("item", "x", "amount", 5)
        try organisation.exchange()
        try c.update("item", "x", "amount", 6)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == .some(6))
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == .some("again"))
    }

    @Test("few updates of a large block spell their ids out: no reader has to read it again for them")
    func fewUpdates() throws {
        let organisation = try OrganisationFixture([])
        let a = try organisation.add("A", limits: WorkLimits())
        try insertRows(a)
        try a.seal()
        try a.update("item", "row1", "title", "u")
        #expect(try unsent(a).flatMap(\.births).isEmpty)
        try a.sql("UPDATE item SET title = 'v'")
        #expect(try unsent(a).flatMap(\.births).count == Self.rows)
    }

    @Test(
        "a block that names a row by what inserts no such row waits, says so once, and other lanes go on",
        arguments: [2, 3, 9] as [UInt64])
    func noInsert(_ counter: UInt64) throws {
        let organisation = try OrganisationFixture(["A"])
        let a = organisation["A"]
        let foreign = try ForeignBlock(organisation, channel: "org")
        let first = try foreign.seal { builder in
            let item = builder.table("item", idType: .text, columns: ["title"])
            let photo = builder.table("photo", idType: .blob, columns: ["name"])
            foreign.insert("x", table: item, columns: ["t"], into: builder)
            foreign.insert(.blob([UInt8](repeating: 1, count: 16)), table: photo, columns: ["p"], into: builder)
            "x".utf8.withContiguousStorageIfAvailable {
                builder.change(
                    .delete, table: item, id: UnsafeRawBufferPointer($0),
                    clock: HybridClock(milliseconds: organisation.clock.milliseconds), columns: [],
                    predecessors: [])
            }
            for row in 4..<9 { foreign.insert(.text("y\(row)"), table: item, columns: ["t"], into: builder) }
        }
        try foreign.give(first, to: a)
        let good = try foreign.seal { builder in
            let item = builder.table("item", idType: .text, columns: ["title"])
            foreign.update(WireDot(reference: 0, counter: 4), table: item, column: 0, to: "good", into: builder)
        }
        #expect(try foreign.give(good, to: a).heldBlocks == 0)
        #expect(try a.value("item", "y4", "title") == "good")
        // Counter 2 inserts into another table, 3 deletes, 9 updates.
        let bad = try foreign.seal { builder in
            let item = builder.table("item", idType: .text, columns: ["title"])
            foreign.update(WireDot(reference: 0, counter: 5), table: item, column: 0, to: "bad", into: builder)
            foreign.update(WireDot(reference: 0, counter: counter), table: item, column: 0, to: "bad", into: builder)
        }
        #expect(try foreign.give(bad, to: a).heldBlocks == 1)
        #expect(try foreign.give(bad, to: a).heldBlocks == 1)
        #expect(try a.value("item", "y5", "title") == "t")
        #expect(try a.count("SELECT count(*) FROM kenh_notice WHERE code = 'unreadable'") == 1)
        let other = try ForeignBlock(organisation, channel: "org", seed: 78)
        let next = try other.seal { builder in
            let item = builder.table("item", idType: .text, columns: ["title"])
            other.insert("z", table: item, columns: ["t"], into: builder)
        }
        try other.give(next, to: a)
        #expect(try a.isShown("item", "z"))
    }

    @Test("a block whose rows' inserts have rotted here waits; once they are mended it is merged")
    func rotten() throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try insertRows(a)
        try organisation.exchange()
        try a.sql("UPDATE item SET title = 'new'")
        try organisation.send(a)
        try SQLiteTool.run(
            """
            CREATE TABLE kept AS SELECT seq, body FROM kenh_block;
            UPDATE kenh_block SET body = zeroblob(length(body)) WHERE seq = 1;
            """, on: b.path)
        #expect(try organisation.receive(b).heldBlocks == 1)
        #expect(try b.value("item", "row3", "title") == "t3")
        try SQLiteTool.run(
            "UPDATE kenh_block SET body = (SELECT body FROM kept WHERE kept.seq = 1) WHERE seq = 1;", on: b.path)
        _ = try b.store.take(Delivery(), as: b.identity)
        #expect(try b.value("item", "row3", "title") == "new")
    }
}
