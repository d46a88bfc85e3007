import KenhMerge
import KenhTesting

/// What must hold of every history.
enum HistoryLaws {
    /// A further law that is asked of every node after every step.
    typealias NodeLaw = @Sendable (SimulatedNode) throws(BrokenLaw) -> Void

    /// The first law that the history breaks; nil where all hold.
    static func broken(by history: History, also law: NodeLaw = { _ in }) -> BrokenLaw? {
        do throws(BrokenLaw) {
            var run = HistoryRun(history)
            for step in history.steps {
                try run.perform(step)
                for node in run.nodes { try law(node) }
            }
            try checkTogether(run)
            for node in run.nodes { try checkNothingLost(node, run.log) }
            // Some hear that rows are deleted for good before they have all changes, some afterwards, some at first.
            let finals = run.deletedRows(salt: history.seed ^ 4)
            for node in run.nodes.indices where node.isMultiple(of: 2) { try run.nodes[node].finish(finals) }
            try run.heal(salt: history.seed ^ 1)
            try checkTogether(run)
            for node in run.nodes.indices where !node.isMultiple(of: 2) { try run.nodes[node].finish(finals) }
            try run.addNewcomer(batch: 1, salt: history.seed ^ 2, without: finals)
            try run.addNewcomer(batch: .max, salt: history.seed ^ 3, without: finals)
            try checkTogether(run)
            for node in run.nodes { try checkNothingLost(node, run.log) }
            return nil
        } catch {
            return error
        }
    }

    /// What is left of a failing history when everything that it does not need is taken out.
    static func shrunk(_ history: History, also law: NodeLaw = { _ in }) -> History {
        var small = history
        small.steps = Shrinker().shrink(history.steps) { steps in
            var candidate = history
            candidate.steps = steps
            return broken(by: candidate, also: law) != nil
        }
        return small
    }

    /// Equal sets of changes, equal states and digests; unequal states, unequal digests.
    private static func checkTogether(_ run: HistoryRun) throws(BrokenLaw) {
        for (i, a) in run.nodes.enumerated() {
            for b in run.nodes[..<i] {
                let same = try rows(a) == rows(b)
                try BrokenLaw.unless(
                    same || a.applied != b.applied || a.finals != b.finals,
                    "the same changes, but\n\(a.model)\nand\n\(b.model)")
                try BrokenLaw.unless(same == (a.digest == b.digest), "states are equal: \(same), digests are not so")
            }
        }
    }

    private static func rows(_ node: SimulatedNode) throws(BrokenLaw) -> [String: ModelRow] {
        var rows: [String: ModelRow] = [:]
        for row in node.states.keys where !node.state(row).writes.isEmpty { rows[row] = try node.stamps(of: row) }
        return rows
    }

    /// Every written value is there unless somebody who had seen it wrote the column again. What was seen is taken
    /// from the simulation, not from the predecessors that the writer named.
    private static func checkNothingLost(_ node: SimulatedNode, _ log: [LoggedChange]) throws(BrokenLaw) {
        let applied = log.filter { node.applied.contains($0.number) }
        let rows = try rows(node)
        for write in applied where !node.finals.contains(write.change.name) {
            for (column, value) in write.change.values {
                let present = rows[write.change.row]?.stamps.contains {
                    $0.name == write.change.name && $0.column == column && $0.value == value
                }
                if present == true { continue }
                let superseded = applied.contains {
                    $0.change.row == write.change.row && $0.seen.contains(write.number)
                        && $0.change.kind != .add && $0.change.values[column] != nil
                }
                try BrokenLaw.unless(superseded, "\(value) of \(write.change.name) in column \(column) is lost")
            }
        }
    }
}
