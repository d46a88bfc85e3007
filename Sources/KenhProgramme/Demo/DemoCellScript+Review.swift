import KenhStore
import KenhWords

extension DemoCellScript {
    var reviewID: String { "\(cell)/\(DemoMonth.period)" }
    var reviewChannel: String { Programme.channel(cell: cell) }

    /// The review of June, with what was left open in May taken up.
    func draftStep(_ random: inout SeededRandom) -> DemoStep {
        let planned = random.within(items.count...9)
        let date = DemoMonth.day(24)
        let row = DemoRow(
            "review", reviewID, on: date,
            [
                ("channel", .text(reviewChannel)), ("unit", .text(cell)), ("kind", "month"),
                ("period", .text(DemoMonth.period.description)), ("due", .date(DemoMonth.period.reviewDue)),
                ("results", .entered(DemoPhrases.results(done: random.within(2...planned), of: planned))),
                ("shortcomings", .entered(random.one(of: DemoPhrases.shortcomings))),
                ("next_steps", .entered(random.one(of: DemoPhrases.nextSteps))),
                ("items_planned", .integer(Int64(planned))),
            ])
        let words = Bilingual("\(cell) dự thảo sơ kết tháng 6/2022", "\(cell) drafts the review of June 2022")
        return DemoStep(cell, date, officer: secretary, words, [.insert(row), review(.drafted, on: date)])
    }

    func submitStep(_ random: inout SeededRandom) -> DemoStep {
        let date = DemoMonth.day(30)
        let done = DemoChange.update(
            "review", id: reviewID,
            [
                ("items_done", .integer(Int64(random.within(2...items.count)))),
                ("next_steps", .entered(random.one(of: DemoPhrases.nextSteps))),
            ])
        let words = Bilingual(
            "\(cell) họp và nộp sơ kết tháng 6/2022", "\(cell) holds and submits the review of June 2022")
        return DemoStep(
            cell, date, officer: secretary, words, [done, review(.held, on: date), review(.submitted, on: date)])
    }

    private func review(_ state: ReviewState, on date: CivilDate) -> DemoChange {
        let move = Move(reviewID, channel: reviewChannel, to: state, date: date.description, actor: secretary)
        return .moveReview(move, id: "\(reviewID)/\(state.rawValue)")
    }
}
