import KenhProgramme
import KenhStore
import Testing

@Suite struct LifecycleTests {
    private func move(_ id: String, _ to: String, after: [String] = []) -> Transition {
        Transition(id: id, subject: "x", from: "", to: to, after: after)
    }

    @Test("without transitions an item is planned")
    func nothing() {
        let current = ItemState.current(of: [])
        #expect(current.state == .planned && !current.isContested && current.heads.isEmpty)
    }

    @Test("the transition that no other comes after is shown, whatever the order of the rows")
    func chain() {
        let rows = [move("1", "doing"), move("2", "waiting", after: ["1"]), move("3", "done", after: ["2"])]
        for rows in [rows, rows.reversed(), [rows[1], rows[0], rows[2]]] {
            let current = ItemState.current(of: rows)
            #expect(current.state == .done && !current.isContested && current.heads.map(\.id) == ["3"])
        }
    }

    @Test("close ∥ reopen shows the item as reopened and asks people to look")
    func closeAndReopen() {
        let rows = [
            move("1", "doing"), move("2", "done", after: ["1"]), move("b", "verified", after: ["2"]),
            move("a", "reopened", after: ["2"]),
        ]
        for rows in [rows, rows.reversed()] {
            let current = ItemState.current(of: rows)
            #expect(current.state == .reopened && current.isContested && current.heads.map(\.id) == ["a", "b"])
        }
    }

    @Test("a transition after both heads settles it")
    func settling() {
        let rows = [
            move("2", "done"), move("a", "reopened", after: ["2"]), move("b", "verified", after: ["2"]),
            move("c", "verified", after: ["a", "b"]),
        ]
        let current = ItemState.current(of: rows)
        #expect(current.state == .verified && !current.isContested)
    }

    @Test("two cells that say the same do not contest it")
    func agreeing() {
        let current = ItemState.current(of: [move("1", "done"), move("2", "done")])
        #expect(current.state == .done && !current.isContested && current.heads.count == 2)
    }

    @Test("odd rows neither trap nor hide the rest")
    func odd() {
        #expect(ItemState.current(of: [move("1", "done", after: ["1"])]).state == .done)
        let circle = ItemState.current(of: [move("1", "done", after: ["2"]), move("2", "doing", after: ["1"])])
        #expect(circle.state == .doing && circle.isContested)
        let newer = ItemState.current(of: [move("1", "paused"), move("2", "done")])
        #expect(newer.state == .done && newer.isContested)
        #expect(ItemState.current(of: [move("1", "paused")]).isContested)
        #expect(ItemState.current(of: [move("1", "doing", after: ["lost"])]).state == .doing)
    }

    @Test("no two states are equally final, and the least final of close ∥ anything is the one with work left")
    func finality() {
        #expect(Set(ItemState.allCases.map(\.finality)).count == ItemState.allCases.count)
        #expect(Set(ReviewState.allCases.map(\.finality)).count == ReviewState.allCases.count)
        for open in ItemState.allCases where !open.isDone && open != .cancelled {
            #expect(open.finality < ItemState.done.finality)
        }
    }

    @Test("every state of an item can be reached, and leads on")
    func reachable() {
        var reached: Set<ItemState> = [.initial]
        for _ in ItemState.allCases { reached.formUnion(reached.flatMap(\.next)) }
        #expect(reached == Set(ItemState.allCases))
        for state in ItemState.allCases { #expect(!state.next.isEmpty && !state.next.contains(state)) }
        #expect(ItemState.planned.next.isDisjoint(with: [.done, .verified, .waiting]))
    }

    @Test("a move is written after the heads that it saw, and a move without an edge is refused")
    func moving() throws {
        let scratch = try ScratchStore()
        func move(to state: ItemState) -> Move<ItemState> {
            Move("KH1/01", channel: "plan/KH1", to: state, date: "2022-06-15", actor: "CB1-01")
        }
        try scratch.store.write { transaction in
            try move(to: .doing).write(to: transaction, id: "a")
            try move(to: .done).write(to: transaction, id: "b")
            #expect(throws: ProgrammeError(.noSuchMove, "", advice: "")) {
                try move(to: .waiting).write(to: transaction)
            }
        }
        let rows = try scratch.store.rows("SELECT id, after, from_state FROM transition ORDER BY id")
        #expect(rows.map { $0["after"] } == [.null, "a"])
        #expect(rows.map { $0["from_state"] } == ["planned", "doing"])
        #expect(try scratch.state(of: "KH1/01").state == .done)
    }
}
