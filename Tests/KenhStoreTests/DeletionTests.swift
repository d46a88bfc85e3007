import KenhMerge
import KenhStore
import KenhTesting
import Testing

@Suite struct DeletionTests {
    /// B deleted a row while A edited it.
    private func editedAndDeleted() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert(
            "item", "x", [("title", "t"), ("amount", 1), ("ratio", 0.5), ("data", .blob([1])), ("contact", "c")])
        try organisation.exchange()
        try organisation["A"].update("item", "x", "amount", 2)
        try organisation["B"].delete("item", "x")
        try organisation.exchange()
        return organisation
    }

    @Test("a row that was edited while somebody deleted it stays whole, and everybody is told")
    func keptWhole() throws {
        let organisation = try editedAndDeleted()
        #expect(try organisation.everywhere { try $0.isKeptDespiteDelete("item", "x") } == true)
        for (column, value): (String, Value) in [
            ("title", "t"), ("amount", 2), ("ratio", 0.5), ("data", .blob([1])), ("status", "open"), ("contact", "c"),
        ] {
            #expect(try organisation.everywhere { try $0.value("item", "x", column) } == value)
        }
        guard case .keptDespiteDelete(let editors) = try organisation["C"].store.conflicts().first?.kind else {
            Issue.record("nothing was said")
            return
        }
        #expect(editors == ["A"])
    }

    @Test("keeping such a row clears it everywhere", arguments: ["A", "B", "C"])
    func keep(_ name: String) throws {
        let organisation = try editedAndDeleted()
        try organisation[name].store.keep(table: "item", id: "x")
        #expect(try !organisation[name].isKeptDespiteDelete("item", "x"), "settled here at once")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == 2)
        #expect(try organisation.everywhere { try $0.value("item", "x", "contact") } == "c")
    }

    @Test("deleting it having seen the edit clears it everywhere", arguments: ["A", "B", "C"])
    func laterDelete(_ name: String) throws {
        let organisation = try editedAndDeleted()
        try organisation[name].delete("item", "x")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        #expect(try organisation.everywhere { try $0.isShown("item", "x") } == false)
    }

    @Test("a row edited by two and deleted by a third keeps both edits, as a conflict")
    func twoEditsAndDelete() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x", [("title", "t"), ("amount", 1)])
        try organisation.exchange()
        try organisation["A"].update("item", "x", "amount", 2)
        organisation.clock.advance(milliseconds: 1)
        try organisation["B"].update("item", "x", "amount", 3)
        try organisation["C"].delete("item", "x")
        try organisation.exchange()
        let expected = ConflictSummary(shown: 3, losers: [2])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "amount") } == .some(expected))
        #expect(try organisation.everywhere { try $0.isKeptDespiteDelete("item", "x") } == true)
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "t")
    }

    @Test("two deletes of one row are one")
    func deletedTwice() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x", [("title", "t")])
        try organisation.exchange()
        try organisation["A"].delete("item", "x")
        try organisation["B"].delete("item", "x")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.isShown("item", "x") } == false)
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("a row inserted again after its delete has the new values alone")
    func insertedAgain() throws {
        let organisation = try OrganisationFixture(["A", "B"])
        try organisation["A"].insert("item", "x", [("title", "old"), ("amount", 1), ("note", "n")])
        try organisation.exchange()
        try organisation["A"].delete("item", "x")
        try organisation.exchange()
        try organisation["B"].insert("item", "x", [("title", "new")])
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "new")
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == .null)
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("a row inserted again by one while the other edits what was deleted keeps both")
    func insertedAgainAndEdited() throws {
        let organisation = try OrganisationFixture(["A", "B"])
        try organisation["A"].insert("item", "x", [("title", "old"), ("amount", 1)])
        try organisation.exchange()
        try organisation["A"].delete("item", "x")
        try organisation["A"].insert("item", "x", [("title", "again")])
        organisation.clock.advance(milliseconds: 1000)
        try organisation["B"].update("item", "x", "amount", 7)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "again")
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == 7)
    }

    @Test("keeping a row that is not there is refused in words")
    func nothingToKeep() throws {
        let organisation = try editedAndDeleted()
        let error = #expect(throws: StoreError.self) { try organisation["A"].store.keep(table: "item", id: "none") }
        #expect(error?.code == .notFound)
    }
}
