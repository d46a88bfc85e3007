import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Cells that are not upgraded on one day.
@Suite struct SchemaUpgradeTests {
    static let stone = Table(
        "stone", channel: .column("place"), columns: [.text("kind", default: "granite"), .real("weight")])
    static let second = Migration(
        2,
        [
            .column(.text("colour", default: "grey"), in: "item"), .column(.integer("size", .mustResolve), in: "item"),
            .table(stone), .index("stone_kind", on: "stone", columns: ["kind"]),
        ])
    static let later = TestSchema.make([TestSchema.first, second])

    private func mixed() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(["old"])
        try organisation.add("new", schema: Self.later)
        return organisation
    }

    @Test("a table and columns that a node does not know are kept, forwarded, and shown after its upgrade")
    func keptAndShown() throws {
        let organisation = try mixed()
        let (old, new) = (organisation["old"], organisation["new"])
        try old.insert("item", "x", [("title", "t")])
        try organisation.exchange()
        try new.sql("UPDATE item SET colour = 'red', size = 3, title = 'both'")
        try new.insert("stone", "s", [("place", "quarry/1"), ("weight", 2.5)])
        try new.insert("item", "y", [("colour", "blue")])
        try organisation.exchange()
        #expect(try old.value("item", "x", "title") == "both")
        let third = try organisation.add("third", schema: Self.later)
        try organisation.exchange()
        try old.upgrade(to: Self.later)
        try organisation.check()
        for cell in [old, third] {
            #expect(try cell.value("item", "x", "colour") == "red")
            #expect(try cell.value("item", "x", "size") == 3)
            #expect(try cell.value("item", "y", "colour") == "blue")
            #expect(try cell.value("stone", "s", "weight") == 2.5)
            #expect(try cell.value("stone", "s", "place") == "quarry/1")
        }
        try old.sql("UPDATE stone SET kind = 'basalt'; UPDATE item SET size = size + 1")
        try organisation.exchange()
        #expect(try new.value("stone", "s", "kind") == "basalt")
        #expect(try new.value("item", "x", "size") == 4)
    }

    @Test("an unknown column survives edits, a delete and its undoing by a node that does not know it")
    func survives() throws {
        let organisation = try mixed()
        let (old, new) = (organisation["old"], organisation["new"])
        try new.insert("item", "x", [("title", "t"), ("colour", "red")])
        try organisation.exchange()
        try old.update("item", "x", "title", "edited")
        try organisation.exchange()
        try old.delete("item", "x")
        try new.update("item", "x", "size", 1)
        try organisation.exchange()
        #expect(try new.value("item", "x", "colour") == "red")
        #expect(try old.isKeptDespiteDelete("item", "x"))
        try old.store.keep(table: "item", id: "x")
        try organisation.exchange()
        try old.upgrade(to: Self.later)
        try organisation.check()
        #expect(try organisation.everywhere { try $0.value("item", "x", "colour") } == "red")
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("conflicts in unknown columns wait for the upgrade")
    func conflicts() throws {
        let organisation = try mixed()
        let other = try organisation.add("other", schema: Self.later)
        try organisation["new"].insert("item", "x")
        try organisation.exchange()
        try organisation["new"].update("item", "x", "size", 1)
        organisation.clock.advance(milliseconds: 1)
        try other.update("item", "x", "size", 2)
        try organisation.exchange()
        #expect(try organisation["old"].store.conflicts().isEmpty)
        try organisation["old"].upgrade(to: Self.later)
        try organisation.check()
        let expected = ConflictSummary(shown: 2, losers: [1])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "size") } == .some(expected))
    }

    @Test("columns that were met before they were declared keep their numbers, and defaults are shown")
    func order() throws {
        let organisation = try mixed()
        try organisation["new"].insert("item", "x", [("size", 9)])
        try organisation["old"].insert("item", "y")
        try organisation.exchange()
        try organisation["old"].upgrade(to: Self.later)
        try organisation["old"].sql("UPDATE item SET colour = 'c' || id, size = coalesce(size, 0) + 1")
        try organisation.exchange()
        #expect(try organisation["new"].value("item", "x", "size") == 10)
        #expect(try organisation["new"].value("item", "y", "colour") == "cy")
        #expect(try organisation["new"].value("item", "y", "size") == 1)
    }

    @Test("a programme whose store was upgraded under it is stopped, in words, before it can lose anything")
    func upgradedUnderneath() throws {
        let organisation = try OrganisationFixture(["A"])
        let cell = organisation["A"]
        let old = cell.store
        try cell.upgrade(to: Self.later)
        try cell.insert("item", "x", [("size", 1)])
        for attempt: () throws -> Void in [
            { try old.write { try $0.insert("item", []) } },
            { _ = try old.seal(as: cell.identity) },
            { _ = try old.take(Delivery(), as: cell.identity) },
            { _ = try old.status() },
        ] {
            let error = #expect(throws: StoreError.self) { try attempt() }
            #expect(error?.code == .newerVersion)
            #expect(error?.advice.isEmpty == false)
        }
        #expect(try cell.seal().changes == 1)
    }

    @Test("a table that others declared with ids of another type is refused in words")
    func otherIDs() throws {
        let organisation = try mixed()
        try organisation["new"].insert("stone", "s", [("place", "quarry/1")])
        try organisation.exchange()
        let mistaken = TestSchema.make([
            TestSchema.first,
            Migration(2, [.table(Table("stone", id: .blob, channel: .column("place"), columns: [.text("kind")]))]),
        ])
        let error = #expect(throws: StoreError.self) { try organisation["old"].upgrade(to: mistaken) }
        #expect(error?.code == .schema)
        try organisation.check()
    }
}
