import KenhMerge
import Testing

@Suite struct RowStateTests {
    @Test("An insert of many columns is one write, and the table has its values")
    func insert() {
        var row = RowScene()
        row.apply(.insert, by: 1, values: [0: "a", 1: 2, 2: nil])
        #expect(row.table == [0: "a", 1: 2, 2: nil])
        #expect(row.state.writes.count == 1)
        #expect(row.state.writes[0].held.isEmpty)
        #expect(row.conflicts.isEmpty && !row.state.mayConflict)
    }

    @Test("A later write to a column replaces the first there and leaves the other columns")
    func update() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [0: "a", 1: "b"])
        row.apply(.update, by: 2, at: 1, values: [1: "c"], seeing: [born])
        #expect(row.table == [0: "a", 1: "c"], "whoever saw a value replaces it, whatever the clocks say")
        #expect(row.conflicts.isEmpty)
        #expect(row.state.writes.first { $0.dot == born }?.columns == [.column(0), .existence])
    }

    @Test("A row that was edited while somebody else deleted it is kept whole, and both are told")
    func editAndDelete() {
        for deleteFirst in [true, false] {
            var row = RowScene()
            let born = row.apply(.insert, by: 1, values: [0: "a", 1: "b"])
            if deleteFirst { row.apply(.delete, by: 2, seeing: [born]) }
            if deleteFirst { #expect(row.table == nil && !row.state.isShown) }
            row.apply(.update, by: 3, values: [1: "c"], seeing: [born])
            if !deleteFirst { row.apply(.delete, by: 2, seeing: [born]) }
            #expect(row.table == [0: "a", 1: "c"])
            #expect(row.conflicts == [.keptDespiteDelete])
        }
    }

    @Test("A delete that saw everything removes the row and keeps its values")
    func delete() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [0: "a", 1: "b"])
        let edit = row.apply(.update, by: 1, values: [1: "c"], seeing: [born])
        row.apply(.delete, by: 2, seeing: [born, edit])
        #expect(row.table == nil && row.conflicts.isEmpty)
        #expect(row.state.writes.flatMap(\.held).map(\.value) == ["a", "c"])
        #expect(Set(row.state.predecessors(ofWriteTo: [.column(0), .existence])) == [born])
        #expect(Set(row.state.predecessors(ofWriteTo: .column(1))) == [edit])
    }

    @Test("Of three concurrent edits one is shown and two are kept, until somebody who saw all writes again")
    func threeEdits() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [0: "a"])
        let edits = [
            row.apply(.update, by: 2, at: 2_000, values: [0: "second"], seeing: [born]),
            row.apply(.update, by: 3, at: 3_000, values: [0: "first"], seeing: [born]),
            row.apply(.update, by: 4, at: 1_500, values: [0: "third"], seeing: [born]),
        ]
        #expect(row.table == [0: "first"])
        #expect(row.losers(0) == ["second", "third"])
        row.apply(.update, by: 2, at: 1, values: [0: "agreed"], seeing: edits)
        #expect(row.table == [0: "agreed"])
        #expect(row.conflicts.isEmpty)
        #expect(row.state.writes.flatMap(\.held).isEmpty)
    }

    @Test("An insert over a tombstone brings the row back with the new values and no conflict")
    func insertOverTombstone() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [0: "old", 1: "old too"])
        row.apply(.delete, by: 1, seeing: [born])
        row.apply(.insert, by: 2, at: 1, values: [0: "new", 1: "new too"], seeing: [born])
        #expect(row.table == [0: "new", 1: "new too"])
        #expect(row.conflicts.isEmpty && row.state.writes.count == 1)
    }

    @Test("An insert over a tombstone that says nothing of a column shows what the deleted row had there")
    func partialInsertOverTombstone() {
        var row = RowScene()
        let born = row.apply(.insert, by: 1, values: [0: "old", 1: "old too"])
        row.apply(.delete, by: 1, seeing: [born])
        row.apply(.insert, by: 2, values: [0: "new"], seeing: [born])
        #expect(row.table == [0: "new", 1: "old too"])
    }

    @Test("Two inserts of one id are merged column by column, with the loser of each kept")
    func sameID() {
        var row = RowScene()
        row.apply(.insert, by: 1, at: 1_000, values: [0: "one", 1: "only here"])
        row.apply(.insert, by: 2, at: 2_000, values: [0: "two", 2: "only there"])
        #expect(row.table == [0: "two", 1: "only here", 2: "only there"])
        #expect(row.losers(0) == ["one"])
        #expect(row.conflicts.count == 1)
    }

    @Test("A delete of one of two concurrent inserts leaves the other shown")
    func deleteOneOfTwo() {
        var row = RowScene()
        let one = row.apply(.insert, by: 1, at: 9_000, values: [0: "one"])
        row.apply(.insert, by: 2, at: 1_000, values: [0: "two"])
        row.apply(.delete, by: 1, seeing: [one])
        #expect(row.table == [0: "two"], "an unremoved write stands above a removed one with a later clock")
        #expect(row.conflicts.isEmpty)
    }

    @Test("A row whose insert is not known is kept but not shown, until an insert comes")
    func withoutInsert() {
        var row = RowScene()
        row.apply(.update, by: 1, values: [1: "kept"])
        #expect(row.table == nil && !row.state.isShown && row.conflicts.isEmpty)
        row.apply(.insert, by: 2, values: [0: "a"])
        #expect(row.table == [0: "a", 1: "kept"])
    }

    @Test("The effective clock decides first, whoever the writers are")
    func clockDecides() {
        var row = RowScene()
        row.apply(.insert, by: 9, at: 1_000, values: [0: "nine"])
        row.apply(.insert, by: 1, at: 1_001, values: [0: "one"])
        #expect(row.table == [0: "one"])
    }

    @Test("With equal clocks the higher replica is shown, whatever the local numbers of the branches")
    func replicaDecides() {
        var row = RowScene()
        row.replicas = [1: ReplicaID(high: 5, low: 0), 2: ReplicaID(high: 4, low: .max)]
        row.apply(.insert, by: 1, values: [0: "five"])
        row.apply(.insert, by: 2, values: [0: "four"])
        #expect(row.table == [0: "five"])
    }

    @Test("With equal clocks and replicas the higher counter is shown, whatever the hashes")
    func counterDecides() {
        var row = RowScene()
        row.replicas = [1: ReplicaID(high: 5, low: 0), 2: ReplicaID(high: 5, low: 0)]
        row.counters[1] = 1
        row.hashes = [Dot(branch: 2, counter: 1): Hash256(.max, 0, 0, 0)]
        row.apply(.insert, by: 1, values: [0: "counter 2"])
        row.apply(.insert, by: 2, values: [0: "counter 1"])
        #expect(row.table == [0: "counter 2"])
    }

    @Test("Between two copies of one replica with equal clocks and counters the block's hash decides")
    func hashDecides() {
        for (a, b) in [(1, 2), (2, 1)] as [(UInt32, UInt32)] {
            var row = RowScene()
            row.replicas = [1: ReplicaID(high: 5, low: 0), 2: ReplicaID(high: 5, low: 0)]
            row.hashes = [
                Dot(branch: 1, counter: 1): Hash256(7, 0, 0, 2), Dot(branch: 2, counter: 1): Hash256(7, 0, 0, 1),
            ]
            row.apply(.insert, by: a, values: [0: .integer(Int64(a))])
            row.apply(.insert, by: b, values: [0: .integer(Int64(b))])
            #expect(row.table == [0: 1])
            #expect(row.losers(0) == [2])
        }
    }

    @Test("A clock that turns out to have been ahead is lowered, and the next best is shown")
    func retiming() {
        var row = RowScene()
        row.apply(.insert, by: 1, at: 9_000_000, values: [0: "ahead"])
        row.apply(.insert, by: 2, at: 1_000, values: [0: "honest"])
        #expect(row.table == [0: "ahead"])
        let ahead = row.state.writes.firstIndex { $0.dot.branch == 1 }
        ahead.map { row.state.writes[$0].clock = HybridClock(milliseconds: 999) }
        row.settle()
        #expect(row.table == [0: "honest"])
        #expect(row.losers(0) == ["ahead"])
    }
}
