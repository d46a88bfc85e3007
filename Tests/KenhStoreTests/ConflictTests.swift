import KenhMerge
import KenhStore
import KenhTesting
import Testing

@Suite struct ConflictTests {
    /// Three cells wrote one column, each without having seen the others.
    private func disagreement() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x", [("title", "old"), ("amount", 1)])
        try organisation.exchange()
        for name in ["A", "B", "C"] {
            organisation.clock.advance(milliseconds: 1000)
            try organisation[name].update("item", "x", "title", .text("by \(name)"), officer: "officer \(name)")
            try organisation[name].seal()
        }
        try organisation.exchange()
        return organisation
    }

    private let all = ConflictSummary(shown: "by C", losers: ["by B", "by A"])

    @Test("concurrent edits of one column leave the newest and two losers, the same everywhere")
    func oneWinner() throws {
        let organisation = try disagreement()
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "title") } == .some(all))
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "by C")
    }

    @Test("a conflict says who wrote each value, as whom and when")
    func authors() throws {
        let conflict = try #require(try disagreement()["A"].store.conflicts().first)
        guard case .values(_, let shown, let losers) = conflict.kind else {
            Issue.record("not a conflict of values")
            return
        }
        #expect(conflict.table == "item" && conflict.channel == "org" && conflict.loudness == .notify)
        #expect(([shown] + losers).map(\.author) == ["C", "B", "A"])
        #expect(([shown] + losers).map(\.officer) == ["officer C", "officer B", "officer A"])
        #expect(shown.atMilliseconds == OrganisationFixture.start + 3000)
    }

    @Test("resolving to the winner's, to a loser's or to a third value clears it on all", arguments: ["A", "B", "C"])
    func resolve(_ name: String) throws {
        for value: Value in ["by C", "by A", "settled", nil] {
            let organisation = try disagreement()
            try organisation[name].store.resolve(table: "item", id: "x", column: "title", to: value)
            #expect(try organisation[name].conflict("item", "x", "title") == nil, "settled here at once")
            try organisation.exchange()
            #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == value)
            #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        }
    }

    @Test("a plain write by somebody who saw all three clears it as well")
    func plainWrite() throws {
        let organisation = try disagreement()
        try SQLiteTool.run("UPDATE item SET title = 'plain';", on: organisation["B"].path)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "plain")
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("a write by somebody who saw only two of the three leaves a conflict with the third")
    func partialWrite() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x", [("title", "old")])
        try organisation.exchange()
        for name in ["A", "B", "C"] { try organisation[name].update("item", "x", "title", .text("by \(name)")) }
        try organisation.send(organisation["A"])
        try organisation.send(organisation["B"])
        try organisation.receive(organisation["A"])
        organisation.clock.advance(milliseconds: 5000)
        try organisation["A"].update("item", "x", "title", "saw A and B")
        try organisation.exchange()
        let expected = ConflictSummary(shown: "saw A and B", losers: ["by C"])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "title") } == .some(expected))
    }

    @Test("two people settling one conflict differently make a new one, of their two values")
    func twoResolutions() throws {
        let organisation = try disagreement()
        try organisation["A"].store.resolve(table: "item", id: "x", column: "title", to: "by B")
        organisation.clock.advance(milliseconds: 1000)
        try organisation["B"].seal()
        try organisation["B"].store.resolve(table: "item", id: "x", column: "title", to: "by C")
        try organisation.exchange()
        let losers = try organisation.everywhere { try $0.conflict("item", "x", "title") }
        #expect(Set((losers?.map { [$0.shown] + $0.losers }) ?? []) == ["by B", "by C"])
    }

    @Test("equal concurrent values are no conflict")
    func equalValues() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        for name in ["A", "B", "C"] { try organisation[name].update("item", "x", "amount", 5) }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        try organisation["C"].update("item", "x", "amount", 6)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == 6)
    }

    @Test("values that differ in their normal form only are a conflict")
    func normalForms() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        try organisation["A"].update("item", "x", "title", .text(ValueTests.nfc))
        try organisation["B"].update("item", "x", "title", .text(ValueTests.nfd))
        try organisation.exchange()
        #expect(try organisation["A"].conflict("item", "x", "title")?.losers.count == 1)
    }

    @Test("edits of different columns are no conflict")
    func differentColumns() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        try organisation["A"].update("item", "x", "title", "t")
        try organisation["B"].update("item", "x", "amount", 3)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "t")
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == 3)
    }

    @Test("one id inserted by two cells is merged column by column, as if concurrent")
    func twoInserts() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x", [("title", "a"), ("amount", 1)])
        organisation.clock.advance(milliseconds: 1000)
        try organisation["B"].insert("item", "x", [("title", "b"), ("amount", 1)])
        try organisation.exchange()
        let title = ConflictSummary(shown: "b", losers: ["a"])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "title") } == .some(title))
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "amount") } == .some(nil))
    }

    @Test("silent columns keep their losers and are left out where asked")
    func silent() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        try organisation["A"].update("item", "x", "note", "a")
        try organisation["B"].update("item", "x", "note", "b")
        try organisation.exchange()
        #expect(try organisation["A"].store.conflicts(includingSilent: true).count == 1)
        #expect(try organisation["A"].store.conflicts(includingSilent: false).isEmpty)
        #expect(try organisation["A"].store.status().conflicts == 0)
    }

    @Test("a conflict in an erasable column keeps both values, too")
    func erasable() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        try organisation["A"].update("item", "x", "contact", "a")
        organisation.clock.advance(milliseconds: 1)
        try organisation["B"].update("item", "x", "contact", "b")
        try organisation.exchange()
        let expected = ConflictSummary(shown: "b", losers: ["a"])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "contact") } == .some(expected))
    }

    @Test("settling what is no conflict is refused in words")
    func nothingToResolve() throws {
        let organisation = try disagreement()
        let store = organisation["A"].store
        for (table, id, column): (String, Value, String) in [
            ("item", "x", "amount"), ("item", "none", "title"), ("item", "x", "colour"), ("stone", "x", "title"),
        ] {
            let error = #expect(throws: StoreError.self) {
                try store.resolve(table: table, id: id, column: column, to: nil)
            }
            #expect(error?.code == .notFound)
        }
        #expect(try organisation["A"].pending == 0)
    }
}
