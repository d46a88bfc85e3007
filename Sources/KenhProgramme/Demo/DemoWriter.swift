import KenhStore
import KenhWords

/// Makes the rows of a demo organisation, drawing details from the seed.
struct DemoWriter {
    var random: SeededRandom
    var rows: [DemoRow] = []

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func add(_ table: String, _ id: String, on date: CivilDate, _ values: [(String, Value)]) {
        rows.append(DemoRow(table, id, on: min(date, DemoOrganisation.today), values))
    }

    /// Units, targets, sub-plans and their links, written on the first day of the term.
    mutating func writeOrganisation() {
        let day = DemoOrganisation.termStart
        for unit in DemoUnit.all {
            add(
                "unit", unit.code, on: day,
                [
                    ("code", .text(unit.code)), ("name", .entered(unit.name)), ("kind", .text(unit.kind)),
                    ("parent", unit.parent.map { .text($0) } ?? .null),
                ])
        }
        for (index, target) in DemoTarget.all.enumerated() { write(target, priority: index / 4 + 1, on: day) }
        for (index, plan) in DemoPlan.all.enumerated() { write(plan, on: day.adding(days: 10 + index)) }
    }

    private mutating func write(_ target: DemoTarget, priority: Int, on day: CivilDate) {
        add(
            "target", target.code, on: day,
            [
                ("code", .text(target.code)), ("title", .entered(target.title)), ("measure", .entered(target.measure)),
                ("direction", .text(target.direction)), ("method", .text(target.method.rawValue)),
                ("baseline", .real(target.baseline)), ("goal", .real(target.goal)),
                ("priority", .integer(Int64(priority))),
            ])
    }

    private mutating func write(_ plan: DemoPlan, on day: CivilDate) {
        add(
            "sub_plan", plan.code, on: day,
            [
                ("code", .text(plan.code)), ("title", .entered(plan.title)), ("state", "active"),
                ("breakthrough", plan.isBreakthrough ? 1 : 0), ("start", .date(day)), ("due", "2025-06-30"),
            ])
        for unit in plan.carriers.sorted() {
            add(
                "sub_plan_unit", "\(plan.code)/\(unit)", on: day,
                [("sub_plan", .text(plan.code)), ("unit", .text(unit))])
        }
        for target in DemoTarget.all where target.plan == plan.code {
            add(
                "sub_plan_target", "\(plan.code)/\(target.code)", on: day,
                [("sub_plan", .text(plan.code)), ("target", .text(target.code))])
        }
    }

    /// A chain of transitions of one subject, each after the one before; ids are the subject's and a number.
    mutating func write<State: LifecycleState>(
        _ path: [(to: State, on: CivilDate, actor: String, reason: String?)], of subject: String, channel: String
    ) {
        var from = State.initial
        for (index, step) in path.enumerated() {
            let move = Move(
                subject, channel: channel, to: step.to, date: step.on.description, actor: step.actor,
                reason: step.reason)
            let last = index == 0 ? nil : "\(subject)/t\(index)"
            let values = move.values(from: from, after: last.map { [$0] } ?? [])
            add("transition", "\(subject)/t\(index + 1)", on: step.on, values)
            from = step.to
        }
    }
}
