import KenhMerge
import KenhTesting

extension HistoryRun {
    /// A batch in a random causal order: nothing before its predecessors and its writer's change before it.
    mutating func deliver(to node: Int, _ count: Int, salt: UInt64) throws(BrokenLaw) {
        var generator = SeededGenerator(seed: salt)
        var known = nodes[node].applied
        var batch: [LoggedChange] = []
        while batch.count < count {
            let ready = log.filter { !known.contains($0.number) && $0.needs.isSubset(of: known) }
            guard let next = generator.pick(ready) else { break }
            known.insert(next.number)
            batch.append(next)
        }
        try nodes[node].merge(batch)
    }

    /// Brings everything to everybody, in another order and in other batches for each.
    mutating func heal(salt: UInt64) throws(BrokenLaw) {
        var generator = SeededGenerator(seed: salt)
        for node in nodes.indices {
            while nodes[node].applied.count < log.count {
                try deliver(to: node, 1 + generator.below(20), salt: generator.next())
            }
        }
    }

    /// A node that begins with nothing and takes all in batches of one size.
    mutating func addNewcomer(batch: Int, salt: UInt64) throws(BrokenLaw) {
        var generator = SeededGenerator(seed: salt)
        nodes.append(
            SimulatedNode(
                replica: .random(using: &generator), line: -1, tableColumns: .first(History.columnCount)))
        let node = nodes.count - 1
        while nodes[node].applied.count < log.count { try deliver(to: node, batch, salt: generator.next()) }
    }
}
