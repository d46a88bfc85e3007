import KenhStore
import KenhWords

/// A written item, with what its entries are drawn from.
struct DemoWrittenItem {
    let item: DemoItem
    let state: ItemState
    let begun: CivilDate
    /// When it was finished, or the last day that can be reported on.
    let ended: CivilDate
}

extension DemoWriter {
    typealias ItemStep = (to: ItemState, on: CivilDate, actor: String, reason: String?)

    mutating func writeItems() -> [DemoWrittenItem] {
        DemoItem.all.map { item in
            let state = item.pinned ?? drawState(of: item)
            let due = item.start.adding(days: random.within(30...85))
            writeRow(of: item, due: due)
            writeHelpers(of: item)
            let path = drawPath(to: state, of: item, due: due)
            write(path, of: item.id, channel: item.channel)
            let ended = path.first { $0.to == .done || $0.to == .cancelled }?.on ?? min(due, DemoOrganisation.today)
            return DemoWrittenItem(item: item, state: state, begun: path.first?.on ?? item.start, ended: ended)
        }
    }

    private mutating func writeRow(of item: DemoItem, due: CivilDate) {
        // Some weights are missing, which is not zero.
        let weight = random.below(5) == 0 ? Value.null : .real(Double(random.within(1...5)))
        let accountable = DemoUnit.seat(of: item.unit, random.within(1...8))
        let planned = item.start.adding(days: -random.within(5...20))
        add(
            "work_item", item.id, on: max(planned, DemoOrganisation.termStart.adding(days: 20)),
            [
                ("channel", .text(item.channel)), ("sub_plan", .text(item.plan)), ("unit", .text(item.unit)),
                ("title", .entered(item.title)), ("description", .entered(random.one(of: DemoPhrases.outputs))),
                ("start", .date(item.start)), ("due", .date(due)), ("weight", weight),
                ("accountable", .text(accountable)),
            ])
    }

    /// About every third item has one or two.
    private mutating func writeHelpers(of item: DemoItem) {
        guard random.below(3) == 0, let row = rows.last else { return }
        let seats = random.shuffled((1...7).map { DemoUnit.seat(of: item.unit, $0) })
        for seat in seats.prefix(random.within(1...2)) where .text(seat) != row["accountable"] {
            let values = [("channel", Value.text(item.channel)), ("item", .text(item.id)), ("seat", .text(seat))]
            add("work_item_helper", "\(item.id)/\(seat)", on: row.date, values)
        }
    }

    private mutating func drawState(of item: DemoItem) -> ItemState {
        let draw = random.below(100)
        if item.start > DemoOrganisation.today { return draw < 95 ? .planned : .cancelled }
        if item.end > DemoOrganisation.today {
            return draw < 55 ? .doing : draw < 65 ? .waiting : draw < 85 ? .planned : .done
        }
        switch draw {
        case ..<66: return .verified
        case ..<80: return .done
        case ..<85: return .cancelled
        case ..<89: return .reopened
        case ..<93: return .returned
        case ..<96: return .waiting
        default: return .doing
        }
    }

    private mutating func drawPath(to state: ItemState, of item: DemoItem, due: CivilDate) -> [ItemStep] {
        let today = DemoOrganisation.today
        let seat = DemoUnit.seat(of: item.unit, random.within(1...3))
        let above = DemoUnit.committee.seat(random.within(2...7))
        let begun = min(item.start.adding(days: random.within(1...14)), today)
        let finished = min(max(begun, due.adding(days: random.within(-12...8))), today)
        let checked = min(finished.adding(days: random.within(2...12)), today)
        let reason = random.one(of: DemoPhrases.reasons(for: state))
        let doing: ItemStep = (.doing, begun, seat, nil)
        let done: ItemStep = (.done, finished, seat, nil)
        switch state {
        case .planned: return []
        case .doing: return [doing]
        case .done: return [doing, done]
        case .waiting: return [doing, (.waiting, finished, seat, reason)]
        // Work that has not begun is cancelled before it would.
        case .cancelled where item.start > today: return [(.cancelled, today, above, reason)]
        case .cancelled: return [doing, (.cancelled, finished, above, reason)]
        case .verified, .returned, .reopened: return [doing, done, (state, checked, above, reason)]
        }
    }
}
