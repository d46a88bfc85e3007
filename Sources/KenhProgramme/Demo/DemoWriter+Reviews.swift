import KenhStore
import KenhWords

extension DemoWriter {
    static let missingReviews = 6
    static let lateReviews = 13

    /// Of 5 cells × 21 months: 86 on time, 13 late, and 6 missing, which have no row.
    mutating func writeReviews() {
        let months = DemoOrganisation.firstReview.through(DemoOrganisation.lastReview)
        let due = DemoUnit.cells.flatMap { cell in months.map { (cell: cell, month: $0) } }
        // The cell that has not synced for 41 days misses the last one.
        let unsent = due.count - 1
        let order = [unsent] + random.shuffled(Array(due.indices.dropLast()))
        let missing = Set(order.prefix(Self.missingReviews))
        let late = Set(order.dropFirst(Self.missingReviews).prefix(Self.lateReviews))
        for (index, review) in due.enumerated() where !missing.contains(index) {
            writeReview(of: review.cell, review.month, isLate: late.contains(index))
        }
    }

    private mutating func writeReview(of cell: DemoUnit, _ month: Month, isLate: Bool) {
        let due = month.reviewDue
        let drafted = month.day(random.within(24...28))
        let submitted = isLate ? due.adding(days: random.within(1...10)) : month.next.day(random.within(1...5))
        let held = max(drafted, submitted.adding(days: -random.within(0...2)))
        let accepted = min(submitted.adding(days: random.within(1...6)), DemoOrganisation.today)
        let planned = random.within(3...9)
        let done = planned - random.within(0...2)
        let id = "\(cell.code)/\(month)"
        let channel = Programme.channel(cell: cell.code)
        add(
            "review", id, on: drafted,
            [
                ("channel", .text(channel)), ("unit", .text(cell.code)), ("kind", "month"),
                ("period", .text(month.description)), ("due", .date(due)),
                ("results", .entered(DemoPhrases.results(done: done, of: planned))),
                ("shortcomings", .entered(random.one(of: DemoPhrases.shortcomings))),
                ("next_steps", .entered(random.one(of: DemoPhrases.nextSteps))),
                ("items_planned", .integer(Int64(planned))), ("items_done", .integer(Int64(done))),
            ])
        let secretary = cell.seat(1)
        let path: [(to: ReviewState, on: CivilDate, actor: String, reason: String?)] = [
            (.drafted, drafted, secretary, nil), (.held, held, secretary, nil), (.submitted, submitted, secretary, nil),
            (.accepted, accepted, DemoUnit.committee.seat(random.within(2...7)), nil),
        ]
        write(path, of: id, channel: channel)
    }
}
