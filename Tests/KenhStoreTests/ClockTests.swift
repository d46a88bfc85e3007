import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct ClockTests {
    private static let threeYears: Int64 = 3 * 365 * 24 * 3600 * 1000

    /// B's clock stands three years ahead.
    private func ahead() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(["A", "C"])
        try organisation["A"].insert("item", "x", [("title", "old"), ("amount", 1)])
        let wrong = ManualClock(milliseconds: OrganisationFixture.start + Self.threeYears)
        try organisation.add("B", clock: wrong)
        try organisation.exchange()
        return organisation
    }

    @Test("once accepted, a clock three years ahead is capped everywhere, and its cell is told")
    func capped() throws {
        let organisation = try ahead()
        try organisation["B"].update("item", "x", "title", "by B")
        try organisation["B"].insert("item", "y", [("title", "new")])
        try organisation.exchange()
        let limit = OrganisationFixture.start + HybridClock.toleranceMilliseconds
        for cell in organisation.cells {
            let history = try cell.store.history(table: "item", id: "x")
            #expect(history.last?.claimedAtMilliseconds == OrganisationFixture.start + Self.threeYears)
            #expect(history.last?.acceptedAtMilliseconds == OrganisationFixture.start)
        }
        try organisation["A"].update("item", "x", "title", "by A")
        try organisation["C"].update("item", "x", "title", "by C")
        try organisation.exchange()
        let conflict = try #require(try organisation["C"].store.conflicts().first)
        guard case .values(_, let shown, _) = conflict.kind else { return }
        #expect(shown.atMilliseconds <= limit + 1)
        #expect(try organisation["B"].store.notices().map(\.code) == ["clock"])
        #expect(try organisation["A"].store.notices().isEmpty)
    }

    @Test("a clock ahead does not win for ever: who writes later at the centre's time wins")
    func doesNotWin() throws {
        let organisation = try ahead()
        try organisation["B"].update("item", "x", "title", "by B")
        try organisation.send(organisation["B"])
        organisation.clock.advance(milliseconds: 2 * HybridClock.toleranceMilliseconds)
        try organisation["A"].update("item", "x", "title", "by A")
        try organisation["A"].seal()
        try organisation.exchange()
        let expected = ConflictSummary(shown: "by A", losers: ["by B"])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "title") } == .some(expected))
    }

    @Test("a correction that changes the winner moves the values at its writer, too")
    func winnerChanges() throws {
        let organisation = try ahead()
        try organisation["B"].sql("UPDATE item SET title = 'by B', amount = 2, contact = 'B'")
        try organisation.send(organisation["B"])
        organisation.clock.advance(milliseconds: 2 * HybridClock.toleranceMilliseconds)
        try organisation["A"].sql("UPDATE item SET title = 'by A', amount = 3, contact = 'A'")
        try organisation.send(organisation["A"])
        // B merges A's edit while its own claim is not corrected yet.
        let waiting = organisation.waiting(for: organisation["B"])
        let fromA = try #require(waiting.last { $0.header.replica == organisation["A"].identity.replica })
        let item = Delivery.Item(
            hash: fromA.hash, block: fromA,
            acceptance: .init(sequence: 99, acceptedAtMilliseconds: organisation.clock.milliseconds))
        _ = try organisation["B"].store.take(Delivery(items: [item]), as: organisation["B"].identity)
        #expect(try organisation["B"].value("item", "x", "title") == "by B")
        try organisation.exchange()
        for (column, value): (String, Value) in [("title", "by A"), ("amount", 3), ("contact", "A")] {
            #expect(try organisation.everywhere { try $0.value("item", "x", column) } == value)
        }
    }

    @Test("unsealed changes are re-timed by the offset to the centre before they are sealed")
    func offset() throws {
        let organisation = try ahead()
        try organisation["B"].store.setClockOffset(milliseconds: -Self.threeYears)
        try organisation["B"].update("item", "x", "title", "by B")
        try organisation.exchange()
        let history = try organisation["A"].store.history(table: "item", id: "x")
        #expect(history.last?.claimedAtMilliseconds == OrganisationFixture.start)
        #expect(try organisation["B"].store.notices().isEmpty)
    }

    @Test("who overwrites a claim from the future stands just above what is tolerated, not above the claim")
    func overwritesFuture() throws {
        let organisation = try ahead()
        try organisation["B"].update("item", "x", "title", "by B")
        try organisation.exchange()
        try organisation["A"].update("item", "x", "title", "by A")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "by A")
        let claimed = try organisation["C"].store.history(table: "item", id: "x").last?.claimedAtMilliseconds
        #expect(claimed == OrganisationFixture.start + HybridClock.toleranceMilliseconds)
    }

    @Test("times out of all range are clamped, not a trap", arguments: [Int64.min, -1, 0, Int64.max])
    func extremes(_ time: Int64) throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].store.setClockOffset(milliseconds: time)
        try organisation["A"].store.write(atMilliseconds: time) {
            try $0.insert("item", [("id", "x"), ("title", "t")])
        }
        try organisation.exchange()
        try organisation["B"].update("item", "x", "title", "u")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "u")
    }
}
