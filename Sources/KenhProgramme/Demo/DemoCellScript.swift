import KenhStore
import KenhWords

/// Draws what one cell does in the played month.
struct DemoCellScript {
    let cell: String
    let seed: UInt64
    /// Of the cell, none of them planted or pinned; 4 to 8.
    let items: [DemoItem]
    let secretary: String

    init(cell: String, seed: UInt64) {
        self.cell = cell
        self.seed = seed
        secretary = DemoUnit.seat(of: cell, 1)
        var random = SeededRandom(seed: seed)
        let own = DemoItem.all.filter { $0.unit == cell && $0.pinned == nil && $0.year == 2022 && $0.quarter <= 2 }
        let earlier = DemoItem.all.filter { $0.unit == cell && $0.pinned == nil && $0.year < 2022 }
        let count = random.within(4...8)
        items = Array((random.shuffled(own) + random.shuffled(earlier)).prefix(count))
    }

    func storeSteps() -> [DemoStep] {
        var random = SeededRandom(seed: ~seed)
        var steps = [onwardStep(&random), editStep(&random)]
        if let planted = plantedStep(&random) { steps.append(planted) }
        steps += [entryStep(&random), draftStep(&random), finishStep(&random), submitStep(&random)]
        return steps
    }

    private func step(_ day: Int, seat: Int, _ words: Bilingual, _ changes: [DemoChange]) -> DemoStep {
        DemoStep(cell, DemoMonth.day(day), officer: DemoUnit.seat(of: cell, seat), words, changes)
    }

    /// Some items go one step on.
    private func onwardStep(_ random: inout SeededRandom) -> DemoStep {
        let some = Array(items.prefix(random.within(2...3)))
        let seat = random.within(1...7)
        let words = Bilingual(
            "\(cell) chuyển \(some.count) đầu việc sang bước tiếp theo",
            "\(cell) moves \(some.count) items on")
        return step(16, seat: seat, words, some.map { onward($0, day: 16, seat: seat) })
    }

    /// Each item of the cell gets a new due date, weight, description or accountable seat.
    private func editStep(_ random: inout SeededRandom) -> DemoStep {
        let changes = items.map { item in
            DemoChange.update("work_item", id: item.id, drawEdit(of: item, &random))
        }
        let words = Bilingual(
            "\(cell) điều chỉnh hạn, trọng số và phân công của \(items.count) đầu việc",
            "\(cell) adjusts dates, weights and assignments of \(items.count) items")
        return step(17, seat: random.within(1...3), words, changes)
    }

    private func drawEdit(of item: DemoItem, _ random: inout SeededRandom) -> [(column: String, value: Value)] {
        switch random.below(4) {
        case 0: [("due", .date(DemoMonth.period.last.adding(days: random.within(1...60))))]
        case 1: [("weight", .real(Double(random.within(1...5)))), ("due", .date(DemoMonth.period.last))]
        case 2: [("accountable", .text(DemoUnit.seat(of: cell, random.within(1...7))))]
        default: [("description", .entered(random.one(of: DemoPhrases.outputs)))]
        }
    }

    private func entryStep(_ random: inout SeededRandom) -> DemoStep {
        let changes = items.map { item in
            entry(of: item, day: 22, percent: random.within(6...20) * 5)
        }
        let words = Bilingual(
            "\(cell) ghi \(changes.count) số liệu tiến độ", "\(cell) records \(changes.count) progress entries")
        return step(22, seat: random.within(1...7), words, changes)
    }

    /// One more item goes on, and an entry is corrected by another that replaces it.
    private func finishStep(_ random: inout SeededRandom) -> DemoStep {
        guard let item = items.last else { return step(27, seat: 1, Bilingual(cell, cell), []) }
        let corrected = entry(
            of: item, day: 27, percent: random.within(6...20) * 5, voids: "\(item.id)/\(cell)/2022-06-22")
        let words = Bilingual(
            "\(cell) đính chính một số liệu và chuyển thêm một đầu việc",
            "\(cell) corrects a figure and moves one more item on")
        return step(27, seat: 2, words, [corrected, onward(item, day: 27, seat: 2)])
    }

    private func onward(_ item: DemoItem, day: Int, seat: Int) -> DemoChange {
        let date = DemoMonth.day(day).description
        // The state stands for “one step on” and is replaced when it is known.
        let move = Move(
            item.id, channel: item.channel, to: ItemState.doing, date: date, actor: DemoUnit.seat(of: cell, seat))
        return .moveItem(move, id: "\(item.id)/\(cell)/\(date)", onward: true)
    }

    private func entry(of item: DemoItem, day: Int, percent: Int, voids: String? = nil) -> DemoChange {
        let date = DemoMonth.day(day)
        return .insert(
            DemoRow(
                "progress_entry", "\(item.id)/\(cell)/\(date)", on: date,
                [
                    ("channel", .text(item.channel)), ("item", .text(item.id)), ("unit", .text(cell)),
                    ("period", .text(DemoMonth.period.description)), ("as_of", .date(date)),
                    ("value", .real(Double(percent))), ("note", .entered(DemoPhrases.progress(percent))),
                    ("voids", voids.map { .text($0) } ?? .null),
                ]))
    }
}
