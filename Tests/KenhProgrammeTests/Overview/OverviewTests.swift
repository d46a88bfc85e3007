import KenhProgramme
import KenhStore
import KenhWords
import Testing

@Suite struct OverviewTests {
    @Test("the installed organisation adds up: items, entries, and 86, 13 and 6 reviews", arguments: [UInt64(1), 2022])
    func installed(seed: UInt64) throws {
        let scratch = try ScratchStore.withOrganisation(seed: seed)
        let overview = try Overview.read(from: scratch.store, asOf: DemoOrganisation.today)
        #expect(overview.progress.map(\.items).reduce(0, +) == 140)
        #expect(overview.progress.map(\.entries).reduce(0, +) == 600)
        #expect(overview.progress.count == 27 && overview.contested.isEmpty)
        #expect(overview.reviews.map(\.unit) == DemoOrganisation.cells)
        #expect(overview.reviews.map(\.onTime).reduce(0, +) == 86)
        #expect(overview.reviews.map(\.late).reduce(0, +) == 13)
        #expect(overview.reviews.map(\.missing).reduce(0, +) == 6)
        #expect(overview.reviewMonths == DemoOrganisation.firstReview...DemoOrganisation.lastReview)
    }

    @Test("a review handed in before its day counts at once, and a draft is pending")
    func early() throws {
        let scratch = try ScratchStore.withOrganisation()
        let steps = DemoMonth(seed: 1).steps(of: "CB1")
        for step in steps.dropLast() { try scratch.run(step) }
        let end = CivilDate(nearestTo: 2022, 6, 30)
        let drafted = try Overview.read(from: scratch.store, asOf: end)
        #expect(drafted.reviews[0].pending == 1)
        for step in steps.suffix(1) { try scratch.run(step) }
        let handedIn = try Overview.read(from: scratch.store, asOf: end)
        #expect(handedIn.reviews[0].pending == 0 && handedIn.reviews[0].onTime == drafted.reviews[0].onTime + 1)
        #expect(handedIn.reviewMonths.upperBound == Month(2022, 6))
    }

    @Test("an entry that a correction replaced is not counted")
    func corrections() throws {
        let scratch = try ScratchStore.withOrganisation()
        for step in DemoMonth(seed: 1).steps(of: "CB1") { try scratch.run(step) }
        let rows = try scratch.count("SELECT count(*) AS n FROM progress_entry")
        let overview = try Overview.read(from: scratch.store, asOf: CivilDate(nearestTo: 2022, 6, 30))
        #expect(overview.progress.map(\.entries).reduce(0, +) == Int(rows) - 1)
    }

    @Test("done is a share of weight: cancelled is out, a missing weight is one, zero excludes")
    func weights() {
        var facts = OverviewFacts()
        let weights: [(String, Double?)] = [("a", 3), ("b", nil), ("c", 9), ("d", 0), ("e", 4)]
        facts.items = weights.map { .init(id: $0.0, subPlan: "KH1", unit: "CB1", title: $0.0, weight: $0.1) }
        for (id, state) in [("a", "verified"), ("c", "cancelled"), ("d", "done")] {
            facts.itemMoves[id] = [Transition(id: "t\(id)", subject: id, from: "", to: state)]
        }
        let overview = Overview(of: facts, asOf: DemoOrganisation.today, firstMonth: Month(2022, 5))
        #expect(overview.progress.map(\.doneShare) == [3.0 / 8])
        #expect(overview.progress[0].states == [.verified: 1, .planned: 2, .cancelled: 1, .done: 1])
    }

    @Test("a contested item is listed and explained in both languages")
    func contested() {
        var facts = OverviewFacts()
        facts.items = [.init(id: "KH6/01", subPlan: "KH6", unit: "CB3", title: "Hội thảo", weight: nil)]
        facts.itemMoves["KH6/01"] = ["verified", "reopened"].map {
            Transition(id: $0, subject: "KH6/01", from: "", to: $0)
        }
        let overview = Overview(of: facts, asOf: DemoOrganisation.today, firstMonth: Month(2022, 5))
        #expect(overview.contested.map(\.shown) == [.reopened] && overview.progress[0].contested == 1)
        let vietnamese = overview.rendered(Words(.vietnamese))
        #expect(
            vietnamese.contains("KH6/01 Hội thảo: các đơn vị ghi khác nhau (Mở lại, Đã nghiệm thu); đang hiện “Mở lại”")
        )
        #expect(overview.rendered(Words(.english)).contains("shown is “Reopened”"))
    }

    @Test("the text has the date and the total of each language")
    func text() throws {
        let scratch = try ScratchStore.withOrganisation()
        let overview = try Overview.read(from: scratch.store, asOf: DemoOrganisation.today)
        let vietnamese = overview.rendered(Words(.vietnamese))
        #expect(vietnamese.hasPrefix("Tiến độ đến ngày 15/06/2022\n") && vietnamese.contains("09/2020 đến 05/2022"))
        let english = overview.rendered(Words(.english))
        #expect(english.hasPrefix("Progress as of 15 Jun 2022\n") && english.contains("Sep 2020 to May 2022"))
        let total = try #require(vietnamese.split(separator: "\n").last { $0.hasPrefix("Cộng") })
        #expect(total.split(separator: " ") == ["Cộng", "86", "13", "6", "0"])
    }

    @Test("an empty store gives words instead of tables")
    func empty() throws {
        let overview = try Overview.read(from: try ScratchStore().store, asOf: DemoOrganisation.today)
        #expect(overview.rendered(Words(.vietnamese)).contains("Chưa có gì."))
    }
}
