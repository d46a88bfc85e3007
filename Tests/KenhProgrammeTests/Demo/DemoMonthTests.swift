import KenhProgramme
import KenhStore
import KenhWords
import Testing

@Suite struct DemoMonthTests {
    private func script(_ month: DemoMonth) -> [String] {
        month.steps.map { step in
            if case .sql(let text) = step.action { text } else { "\(step.changes)" }
        }
    }

    /// The store of one cell that played its month without the others.
    private func played(_ cell: String, seed: UInt64, organisation: UInt64 = 1) throws -> ScratchStore {
        let scratch = try ScratchStore.withOrganisation(seed: organisation)
        for step in DemoMonth(seed: seed).steps(of: cell) { try scratch.run(step) }
        return scratch
    }

    @Test("the same seed gives the same month, another seed another")
    func deterministic() {
        #expect(script(DemoMonth(seed: 5)) == script(DemoMonth(seed: 5)))
        #expect(script(DemoMonth(seed: 5)) != script(DemoMonth(seed: 6)))
    }

    @Test(
        "each cell's steps are in June 2022, in order, with words in both languages", arguments: DemoOrganisation.cells)
    func steps(cell: String) {
        let steps = DemoMonth(seed: 5).steps(of: cell)
        #expect(steps.count >= 6)
        #expect(steps.map(\.date) == steps.map(\.date).sorted())
        for step in steps {
            #expect(Month(of: step.date) == Month(2022, 6) && step.date > DemoOrganisation.today)
            #expect(!step.words.vietnamese.isEmpty && !step.words.english.isEmpty)
            if case .sql = step.action { #expect(cell == "CB4") } else { #expect(cell != "CB4") }
        }
    }

    @Test("a month fits an organisation of any seed", arguments: zip(DemoOrganisation.cells, UInt64(1)...5))
    func fits(cell: String, seed: UInt64) throws {
        let scratch = try played(cell, seed: seed, organisation: seed &+ 10)
        let submitted = try scratch.store.rows(
            "SELECT to_state FROM transition WHERE subject = ? ORDER BY rowid", [.text("\(cell)/2022-06")])
        #expect(submitted.map { $0["to_state"].string } == ["drafted", "held", "submitted"])
        let review = try #require(
            try scratch.store.rows("SELECT * FROM review WHERE id = ?", [.text("\(cell)/2022-06")]).first)
        for column in ["results", "shortcomings", "next_steps", "items_done", "items_planned"] {
            #expect(review[column] != .null, "\(column)")
        }
        #expect(try scratch.count("SELECT count(*) AS n FROM progress_entry") > 601)
    }

    @Test(
        "each cell that writes through the store changes 4 to 8 items of its own",
        arguments: ["CB1", "CB2", "CB3", "CB5"])
    func items(cell: String) {
        for seed in UInt64(0)..<20 {
            let edits = DemoMonth(seed: seed).steps(of: cell)[1].changes
            #expect((4...8).contains(edits.count))
        }
    }

    @Test("CB2 and CB3 leave the seminar contested: shown is reopened")
    func seminar() throws {
        let two = try played("CB2", seed: 9)
        let three = try played("CB3", seed: 9)
        let ask = "SELECT title, accountable FROM work_item WHERE id = ?"
        let titles = try [two, three].compactMap { try $0.store.rows(ask, [.text(DemoMonth.jointSeminar)]).first }
        #expect(titles.count == 2 && titles[0]["title"] != titles[1]["title"])
        #expect(titles[0]["accountable"].string?.hasPrefix("CB2-") == true)
        #expect(titles[1]["accountable"].string?.hasPrefix("CB3-") == true)
        #expect(try two.state(of: DemoMonth.jointSeminar).state == .reopened)
        let closing = try #require(try three.state(of: DemoMonth.jointSeminar).heads.first)
        #expect(closing.to == "verified")
        try two.store.write { transaction in
            try transaction.insert(
                "transition",
                [
                    ("id", .text(closing.id)), ("channel", "plan/KH6"), ("subject_kind", "work_item"),
                    ("subject", .text(closing.subject)), ("from_state", .text(closing.from)),
                    ("to_state", .text(closing.to)),
                    ("after", .text(closing.after.joined(separator: " "))),
                ])
        }
        let merged = try two.state(of: DemoMonth.jointSeminar)
        #expect(merged.isContested && merged.state == .reopened && merged.heads.count == 2)
    }

    @Test("CB1 and CB5 insert one review with different sections, and one deletes what the other edits")
    func collisions() throws {
        let one = try played("CB1", seed: 9)
        let five = try played("CB5", seed: 9)
        let ask = "SELECT channel, results FROM review WHERE id = ?"
        let reviews = try [one, five].compactMap { try $0.store.rows(ask, [.text(DemoMonth.jointReview)]).first }
        #expect(
            reviews.map { $0["channel"] } == ["plan/KH2", "plan/KH2"] && reviews[0]["results"] != reviews[1]["results"])
        let exists = "SELECT count(*) AS n FROM work_item WHERE id = ?"
        #expect(try one.count(exists, [.text(DemoMonth.disputedItem)]) == 0)
        #expect(try five.count(exists, [.text(DemoMonth.disputedItem)]) == 1)
    }

    @Test("CB4's SQL updates several rows, inserts without an id and upserts")
    func plainSQL() throws {
        let texts = DemoMonth(seed: 9).steps(of: "CB4").compactMap { step in
            if case .sql(let text) = step.action { text } else { nil }
        }
        #expect(texts.contains { $0.contains("ON CONFLICT (id) DO UPDATE") })
        #expect(texts.contains { $0.contains("INSERT INTO progress_entry (channel") })
        let before = try ScratchStore.withOrganisation()
        let after = try played("CB4", seed: 9)
        let extended = "SELECT count(*) AS n FROM work_item WHERE description LIKE '%Gia hạn vì chờ tư liệu.'"
        #expect(try before.count(extended) == 0)
        #expect(try after.count(extended) >= 3)
        #expect(try after.state(of: "KH2/15").state == .done)
        #expect(try after.state(of: "KH2/23").state == .doing)
    }
}
