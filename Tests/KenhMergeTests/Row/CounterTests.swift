import KenhMerge
import KenhTesting
import Testing

@Suite struct CounterTests {
    private static let five: [Int: Value] = [0: "name", 1: 5]

    @Test("What is shown is the winner plus all additions, whatever came first")
    func sum() {
        for addsFirst in [false, true] {
            var row = RowScene()
            if addsFirst { row.apply(.add, by: 2, values: [1: 3]) }
            row.apply(.insert, by: 1, values: Self.five)
            if !addsFirst { row.apply(.add, by: 2, values: [1: 3]) }
            row.apply(.add, by: 3, values: [1: -10])
            #expect(row.table?[1] == -2)
            #expect(row.conflicts.isEmpty, "additions never contradict each other")
        }
    }

    @Test("A set, or an insert, supersedes the additions that it names and no others")
    func superseded() {
        for kind in [ChangeKind.update, .insert] {
            var row = RowScene()
            let born = row.apply(.insert, by: 1, values: Self.five)
            let seen = row.apply(.add, by: 2, values: [1: 3])
            row.apply(.add, by: 3, values: [1: 100])
            row.apply(kind, by: 1, values: [1: 50], seeing: [born, seen])
            #expect(row.table?[1] == 150)
        }
    }

    @Test("A set that loses still takes the additions away that it names")
    func losingSet() {
        var row = RowScene()
        row.apply(.insert, by: 1, at: 9_000, values: Self.five)
        let seen = row.apply(.add, by: 2, values: [1: 3])
        #expect(row.table?[1] == 8)
        row.apply(.update, by: 2, at: 1_000, values: [1: 50], seeing: [seen])
        #expect(row.table?[1] == 5)
        #expect(row.losers(1) == [50])
    }

    @Test("An addition names nothing, whatever it is given")
    func namesNothing() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: Self.five)
        row.apply(.add, by: 2, values: [1: 3], seeing: [born])
        #expect(row.table == [0: "name", 1: 8])
    }

    @Test("A concurrent addition keeps a deleted row, and the deleted additions count on")
    func deleted() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: Self.five)
        let seen = row.apply(.add, by: 2, values: [1: 3])
        row.apply(.delete, by: 1, seeing: [born, seen])
        #expect(row.table == nil)
        row.apply(.add, by: 3, values: [1: 100])
        #expect(row.table?[1] == 108)
        #expect(row.conflicts == [.keptDespiteDelete])
    }

    @Test("An insert over a tombstone supersedes the additions seen; late ones are added to its value")
    func reinserted() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: Self.five)
        let seen = row.apply(.add, by: 2, values: [1: 3])
        row.apply(.delete, by: 1, seeing: [born, seen])
        row.apply(
            .insert, by: 1, values: [0: "again", 1: 1], seeing: row.state.predecessors(ofWriteTo: .init(rawValue: .max))
        )
        #expect(row.table?[1] == 1)
        row.apply(.add, by: 3, values: [1: 100])
        #expect(row.table?[1] == 101)
    }

    @Test("Concurrent bases are a conflict; the sum goes on top of whichever is shown")
    func concurrentBases() {
        var row = RowScene()
        row.apply(.insert, by: 1, at: 1_000, values: Self.five)
        row.apply(.insert, by: 2, at: 2_000, values: [0: "name", 1: 7])
        row.apply(.add, by: 3, values: [1: 10])
        #expect(row.table?[1] == 17)
        #expect(row.losers(1) == [5])
    }

    @Test("A base that is missing, or is no integer, counts as 0 and is kept")
    func strangeBases() {
        for base: Value in [nil, 2.5, "5", .blob([5])] {
            var row = RowScene()
            row.apply(.insert, by: 1, values: [1: base])
            row.apply(.add, by: 2, values: [1: 3])
            #expect(row.table?[1] == 3)
            #expect(row.state.writes[0].heldValue(1) == base)
        }
        var row = RowScene()
        row.apply(.insert, by: 1, values: [0: "name"])
        row.apply(.add, by: 2, values: [1: 3])
        #expect(row.table?[1] == 3)
    }

    @Test("Sums wrap, so that every order of adding comes to the same")
    func wrapping() {
        let amounts: [Value] = [.integer(.max), .integer(.max), .integer(.min), 1, -1]
        for start in amounts.indices {
            var row = RowScene()
            row.apply(.insert, by: 9, values: [1: 5])
            for i in amounts.indices {
                row.apply(.add, by: UInt32(i), values: [1: amounts[(start + i) % amounts.count]])
            }
            #expect(row.table?[1] == .integer(5 &+ .max &+ .max &+ .min))
        }
    }

    @Test("One addition to two columns loses the one that is set and keeps the other")
    func twoColumns() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [1: 5, 2: 50])
        let added = row.apply(.add, by: 2, values: [1: 1, 2: 2])
        row.apply(.update, by: 1, values: [1: 0], seeing: [born, added])
        #expect(row.table == [1: 0, 2: 52])
    }

    @Test("What the table shows with additions in it is taken apart into base and additions")
    func heldBases() {
        var row = RowScene()
        row.apply(.insert, by: 1, values: [1: .integer(.max)])
        row.state.apply(
            Change(
                dot: Dot(branch: 1, counter: 2), clock: HybridClock(milliseconds: 1), kind: .add,
                columns: .column(1), source: Write.inTable),
            predecessors: [])
        row.state.writes[1].held = [HeldValue(column: 1, value: 2)]
        row.state.holdBases { _ in .integer(.max &+ 2) }
        #expect(row.state.writes[0].heldValue(1) == .integer(.max))
        row.state.holdBases { _ in 0 }
        #expect(row.state.writes[0].heldValue(1) == .integer(.max), "what is held stays as it is")
    }
}
