import KenhWords

extension Overview {
    package init(of facts: OverviewFacts, asOf date: CivilDate, firstMonth: Month) {
        self.date = date
        let (progress, contested) = Self.progress(of: facts)
        self.progress = progress
        self.contested = contested
        // The last month whose review was due by the day.
        var last = Month(of: date)
        while last.reviewDue > date, last > firstMonth { last = last.previous }
        let handedIn = facts.reviews.filter { Self.submitted($0, in: facts) != nil }.compactMap { Month($0.period) }
        reviewMonths = firstMonth...max(last, handedIn.max() ?? last, firstMonth)
        reviews = Self.reviews(of: facts, months: firstMonth.through(last), asOf: date)
    }

    private struct Part: Hashable {
        let subPlan: String
        let unit: String
    }

    private static func progress(of facts: OverviewFacts) -> (rows: [ProgressRow], contested: [ContestedItem]) {
        var rows: [Part: ProgressRow] = [:]
        var contested: [ContestedItem] = []
        for item in facts.items {
            let current = ItemState.current(of: facts.itemMoves[item.id] ?? [])
            let part = Part(subPlan: item.subPlan, unit: item.unit)
            rows[part, default: ProgressRow(subPlan: part.subPlan, unit: part.unit)].count(item, as: current)
            guard current.isContested else { continue }
            let states = Set(current.heads.map(\.to)).sorted(by: precedes)
            contested.append(ContestedItem(id: item.id, title: item.title, shown: current.state, states: states))
        }
        for entries in facts.entries {
            let part = Part(subPlan: entries.subPlan, unit: entries.unit)
            rows[part, default: ProgressRow(subPlan: part.subPlan, unit: part.unit)].entries += entries.count
        }
        let sorted = rows.values.sorted {
            $0.subPlan == $1.subPlan ? precedes($0.unit, $1.unit) : precedes($0.subPlan, $1.subPlan)
        }
        return (sorted, contested)
    }

    private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    /// The stated day on which the review was first handed in.
    private static func submitted(_ review: OverviewFacts.Review, in facts: OverviewFacts) -> CivilDate? {
        (facts.reviewMoves[review.id] ?? [])
            .filter { $0.to == ReviewState.submitted.rawValue }
            .compactMap { CivilDate($0.effectiveDate) }
            .min()
    }

    /// `months` are those whose review was due; a later one counts where there is a row.
    private static func reviews(of facts: OverviewFacts, months: [Month], asOf date: CivilDate) -> [ReviewRow] {
        facts.cells.map { cell in
            var row = ReviewRow(unit: cell)
            let own = facts.reviews.filter { $0.unit == cell }
            let wanted = Set(months.filter { $0.reviewDue <= date }.map(\.description))
            row.missing = wanted.subtracting(own.map(\.period)).count
            for review in own { row.count(submitted(review, in: facts), due: CivilDate(review.due), asOf: date) }
            return row
        }
    }
}

extension Overview.ProgressRow {
    fileprivate mutating func count(_ item: OverviewFacts.Item, as current: CurrentState<ItemState>) {
        states[current.state, default: 0] += 1
        if current.isContested { contested += 1 }
        guard current.state != .cancelled else { return }
        let weight = max(0, item.weight ?? 1)
        totalWeight += weight
        if current.state.isDone { doneWeight += weight }
    }
}

extension Overview.ReviewRow {
    /// A review whose due date cannot be read is never late.
    fileprivate mutating func count(_ submitted: CivilDate?, due: CivilDate?, asOf date: CivilDate) {
        switch (submitted, due) {
        case (let submitted?, let due?) where submitted > due: late += 1
        case (.some, _): onTime += 1
        case (nil, let due?) where due < date: missing += 1
        case (nil, _): pending += 1
        }
    }
}
