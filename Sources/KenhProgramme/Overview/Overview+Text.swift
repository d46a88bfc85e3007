import KenhWords

extension Overview {
    /// The overview as aligned tables of text, in the language of the words.
    public func rendered(_ words: Words) -> String {
        let language = words.language
        var parts = [words.text(.overviewTitle, ["date": date.formatted(language)]) + "\n" + progressTable(words)]
        let months = [
            "from": reviewMonths.lowerBound.formatted(language), "to": reviewMonths.upperBound.formatted(language),
        ]
        parts.append(words.text(.reviewsTitle, months) + "\n" + reviewTable(words))
        if !contested.isEmpty { parts.append(words[.contested] + "\n" + contestedLines(words)) }
        return parts.joined(separator: "\n")
    }

    private func progressTable(_ words: Words) -> String {
        guard !progress.isEmpty else { return words[.nothingYet] + "\n" }
        let phrases = [Phrase.items] + ItemState.allCases.map(\.phrase) + [.donePercent, .entries, .contested]
        var sum = ProgressRow(subPlan: "", unit: "")
        for row in progress { sum.add(row) }
        return TextTable(
            [(words[.subPlan], .left), (words[.unit], .left)] + phrases.map { (words[$0], .right) },
            rows: progress.map { [$0.subPlan, $0.unit] + $0.figures(in: words.language) },
            footer: [words[.total], ""] + sum.figures(in: words.language)
        ).rendered()
    }

    private func reviewTable(_ words: Words) -> String {
        guard !reviews.isEmpty else { return words[.nothingYet] + "\n" }
        let number = { (count: Int) in words.language.number(count) }
        let figures = { (row: ReviewRow) in [row.onTime, row.late, row.missing, row.pending].map(number) }
        var sum = ReviewRow(unit: "")
        for row in reviews { sum.add(row) }
        return TextTable(
            [(words[.unit], .left)] + [Phrase.onTime, .late, .missing, .pending].map { (words[$0], .right) },
            rows: reviews.map { [$0.unit] + figures($0) },
            footer: [words[.total]] + figures(sum)
        ).rendered()
    }

    private func contestedLines(_ words: Words) -> String {
        let name = { (state: String) in ItemState(rawValue: state).map { words[$0.phrase] } ?? state }
        let lines = contested.map { item in
            words.text(
                .contestedItem,
                [
                    "item": "\(item.id) \(item.title)", "shown": words[item.shown.phrase],
                    "states": item.states.map(name).joined(separator: ", "),
                ])
        }
        return lines.map { TextTable.printable($0) + "\n" }.joined()
    }
}

extension Overview.ProgressRow {
    fileprivate func figures(in language: Language) -> [String] {
        let share = doneShare.map { language.percent($0) } ?? "—"
        let counts = [items] + ItemState.allCases.map { states[$0] ?? 0 }
        return counts.map { language.number($0) } + [share, language.number(entries), language.number(contested)]
    }

    fileprivate mutating func add(_ other: Overview.ProgressRow) {
        states.merge(other.states, uniquingKeysWith: +)
        doneWeight += other.doneWeight
        totalWeight += other.totalWeight
        entries += other.entries
        contested += other.contested
    }
}

extension Overview.ReviewRow {
    fileprivate mutating func add(_ other: Overview.ReviewRow) {
        onTime += other.onTime
        late += other.late
        missing += other.missing
        pending += other.pending
    }
}

extension Month {
    /// `05/2022`, `May 2022`: the date without its day.
    public func formatted(_ language: Language) -> String {
        switch language {
        case .vietnamese: String(first.formatted(language).dropFirst(3))
        case .english: String(first.formatted(language).dropFirst(2))
        }
    }
}

extension ItemState {
    /// Its name in the catalogue.
    public var phrase: Phrase {
        switch self {
        case .planned: .statePlanned
        case .doing: .stateDoing
        case .waiting: .stateWaiting
        case .done: .stateDone
        case .verified: .stateVerified
        case .returned: .stateReturned
        case .cancelled: .stateCancelled
        case .reopened: .stateReopened
        }
    }
}
