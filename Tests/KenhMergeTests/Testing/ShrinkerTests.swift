import KenhMerge
import KenhTesting
import Testing

@Suite struct ShrinkerTests {
    @Test("Only the steps that a failure needs are left")
    func minimal() {
        let small = Shrinker().shrink(Array(0..<1_000)) { $0.contains(3) && $0.contains(700) && $0.contains(701) }
        #expect(small == [3, 700, 701])
    }

    @Test("Steps that depend on their order keep it")
    func order() {
        let small = Shrinker().shrink([9, 1, 8, 2, 7, 3, 6]) { steps in
            guard let one = steps.firstIndex(of: 1), let three = steps.firstIndex(of: 3) else { return false }
            return one < three
        }
        #expect(small == [1, 3])
    }

    @Test("A failure that needs nothing shrinks to nothing, and one that needs all stays whole")
    func extremes() {
        #expect(Shrinker().shrink([1, 2, 3]) { _ in true }.isEmpty)
        #expect(Shrinker().shrink([1, 2, 3]) { $0.count == 3 } == [1, 2, 3])
        #expect(Shrinker().shrink([Int]()) { _ in true }.isEmpty)
    }

    @Test("No more runs are made than the limit allows")
    func limit() {
        var runs = 0
        _ = Shrinker(attemptLimit: 10).shrink(Array(0..<1_000)) { _ in
            runs += 1
            return false
        }
        #expect(runs == 10)
    }

    @Test("A false law about histories is broken by a history of a few steps, which says why")
    func falseLaw() throws {
        let law: HistoryLaws.NodeLaw = { node throws(BrokenLaw) in
            for row in node.model.rows {
                let conflicts = node.model.row(row).conflicts
                try BrokenLaw.unless(!conflicts.contains(.keptDespiteDelete), "nobody edits what others delete")
            }
        }
        let failing = (0..<200 as Range<UInt64>).lazy.map { History(seed: $0) }.first {
            $0.steps.count > 30 && HistoryLaws.broken(by: $0, also: law) != nil
        }
        let small = HistoryLaws.shrunk(try #require(failing), also: law)
        #expect(HistoryLaws.broken(by: small, also: law)?.description == "nobody edits what others delete")
        #expect(small.steps.count <= 6)
        #expect(HistoryLaws.broken(by: small) == nil, "the history is sound but for the false law")
        for step in small.steps.indices {
            var without = small
            without.steps.remove(at: step)
            #expect(HistoryLaws.broken(by: without, also: law) == nil)
        }
    }
}
