import KenhStore
import KenhWords

extension DemoWriter {
    /// Progress entries of an organisation, together for targets and items.
    static let entryCount = 600

    /// Each unit that carries a target's plan reports it for every quarter from 2020-Q4 to 2022-Q1.
    mutating func writeTargetEntries() {
        let quarters = [(2020, 4), (2021, 1), (2021, 2), (2021, 3), (2021, 4), (2022, 1)]
        for target in DemoTarget.all {
            guard let plan = DemoPlan.all.first(where: { $0.code == target.plan }) else { continue }
            for unit in plan.carriers.sorted() {
                for (index, (year, quarter)) in quarters.enumerated() {
                    write(target, unit: unit, year: year, quarter: quarter, index: index)
                }
            }
        }
    }

    private mutating func write(_ target: DemoTarget, unit: String, year: Int, quarter: Int, index: Int) {
        let period = "\(year)-Q\(quarter)"
        let end = Month(year, quarter * 3).last
        let figures = drawFigures(of: target, index: index)
        add(
            "progress_entry", "\(target.code)/\(unit)/\(period)", on: end.adding(days: random.within(1...9)),
            [
                ("channel", .text(Programme.channel(plan: target.plan))), ("target", .text(target.code)),
                ("unit", .text(unit)), ("period", .text(period)), ("as_of", .date(end)),
                ("note", .entered("Số liệu quý \(DemoItem.roman[quarter - 1])/\(year).")),
            ] + figures)
    }

    private mutating func drawFigures(of target: DemoTarget, index: Int) -> [(String, Value)] {
        switch target.method {
        case .ratio:
            let whole = random.within(12...30)
            let part = target.direction == "down" ? random.within(0...3) : whole - random.within(0...4)
            return [("numerator", .real(Double(part))), ("denominator", .real(Double(whole)))]
        case .sum, .minimum: return [("value", .real(Double(random.within(0...5))))]
        case .weightedAverage: return [("value", .real(Double(random.within(70...92)) / 10))]
        case .latest: return [("value", .real(Double(3 + index / 2 + random.within(0...1))))]
        case .milestone: return [("value", .real(Double(20 + index * 10 + random.within(0...9))))]
        }
    }

    /// Fills up to ``entryCount``: two entries for each item that was begun, and a third and fourth for some.
    mutating func writeItemEntries(_ items: [DemoWrittenItem]) {
        let begun = items.filter { $0.state != .planned && !($0.state == .cancelled && $0.begun >= $0.ended) }
        guard !begun.isEmpty else { return }
        let written = rows.count { $0.table == "progress_entry" }
        var counts = Array(repeating: 0, count: begun.count)
        let order = random.shuffled(Array(begun.indices))
        for number in 0..<max(0, Self.entryCount - written) { counts[order[number % order.count]] += 1 }
        for (index, written) in begun.enumerated() { write(counts[index], entriesOf: written) }
    }

    private mutating func write(_ count: Int, entriesOf written: DemoWrittenItem) {
        let item = written.item
        let days = max(0, written.ended.daysSince1970 - written.begun.daysSince1970)
        let isWhole = written.state != .doing && written.state != .waiting && written.state != .cancelled
        let most = isWhole ? 100 : random.within(40...90)
        for number in stride(from: 1, through: count, by: 1) {
            let date = written.begun.adding(days: days * number / count)
            let percent = most * number / count
            add(
                "progress_entry", "\(item.id)/p\(number)", on: date,
                [
                    ("channel", .text(item.channel)), ("item", .text(item.id)), ("unit", .text(item.unit)),
                    ("period", .text(Month(of: date).description)), ("as_of", .date(date)),
                    ("value", .real(Double(percent))), ("note", .entered(DemoPhrases.progress(percent))),
                ])
        }
    }
}
