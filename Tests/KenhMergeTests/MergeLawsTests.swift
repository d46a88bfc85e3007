import KenhMerge
import KenhTesting
import Testing

@Suite struct MergeLawsTests {
    #if DEBUG
        private static let historiesPerChunk: UInt64 = 50
    #else
        private static let historiesPerChunk: UInt64 = 1_000
    #endif

    @Test(
        "Nodes with the same changes have the same state and digest, lose nothing, and agree with the naive model",
        arguments: 0..<12 as Range<UInt64>)
    func randomHistories(chunk: UInt64) {
        for seed in chunk * 1_000_000..<chunk * 1_000_000 + Self.historiesPerChunk {
            let history = History(seed: seed)
            guard HistoryLaws.broken(by: history) != nil else { continue }
            let small = HistoryLaws.shrunk(history)
            let law = HistoryLaws.broken(by: small)?.description ?? "fails only sometimes"
            Issue.record("\(small.text)\n\(law)")
            return
        }
    }

    @Test("One seed always stands for the same history and outcome")
    func repeatable() {
        #expect(History(seed: 7).steps == History(seed: 7).steps)
        #expect(History(seed: 7).steps != History(seed: 8).steps)
    }

    @Test("The histories contain everything that the laws are about")
    func coverage() throws {
        var seen = Set<String>()
        for seed in 0..<150 as Range<UInt64> {
            let history = History(seed: seed)
            var run = HistoryRun(history)
            for step in history.steps {
                try run.perform(step)
                for node in run.nodes { seen.formUnion(Self.kinds(of: node)) }
            }
            if run.nodes.count > history.nodes { seen.insert("clone") }
        }
        #expect(
            seen == [
                "conflict", "three at once", "kept despite delete", "tombstone", "unknown column", "not inserted",
                "equal clocks", "clone", "equal values", "counter", "removed delta", "delta without base",
                "delta on a conflict", "delta on what is no integer",
            ])
    }

    private static func counterKinds(of row: ModelRow, _ column: Int) -> Set<String> {
        let deltas = row.additions(column)
        guard row.isShown, !deltas.isEmpty else { return [] }
        var kinds: Set<String> = ["counter"]
        if deltas.contains(where: \.isRemoved) { kinds.insert("removed delta") }
        if !row.losers(column).isEmpty { kinds.insert("delta on a conflict") }
        guard let base = row.winner(column)?.value else { return kinds.union(["delta without base"]) }
        if base.tag != .integer { kinds.insert("delta on what is no integer") }
        return kinds
    }

    private static func kinds(of node: SimulatedNode) -> Set<String> {
        node.model.rows.reduce(into: []) { kinds, name in
            let row = node.model.row(name)
            if row.conflicts.contains(.keptDespiteDelete) { kinds.insert("kept despite delete") }
            if !row.isAlive { kinds.insert("tombstone") }
            if row.isAlive, !row.isShown { kinds.insert("not inserted") }
            for column in row.columns {
                if !node.tableColumns.contains(column: column) { kinds.insert("unknown column") }
                kinds.formUnion(counterKinds(of: row, column))
                guard let best = row.winner(column), let second = row.losers(column).first else { continue }
                kinds.insert("conflict")
                if row.losers(column).count > 1 { kinds.insert("three at once") }
                if best.clock == second.clock { kinds.insert("equal clocks") }
                if best.value == second.value { kinds.insert("equal values") }
            }
        }
    }
}
