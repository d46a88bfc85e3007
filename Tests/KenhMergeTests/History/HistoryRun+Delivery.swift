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

    /// All writes of the rows that are deleted as some node sees them.
    func deletedRows(salt: UInt64) -> Set<ModelName> {
        var generator = SeededGenerator(seed: salt)
        guard let node = generator.pick(nodes) else { return [] }
        return node.model.rows.map { node.model.row($0) }.filter { !$0.isAlive }.reduce(into: []) { names, row in
            names.formUnion(row.stamps.map(\.name))
        }
    }

    /// A node that begins with nothing and takes all in batches of one size.
    ///
    /// - Parameter finals: what it knows to be deleted for good before anything comes.
    mutating func addNewcomer(batch: Int, salt: UInt64, without finals: Set<ModelName> = []) throws(BrokenLaw) {
        var generator = SeededGenerator(seed: salt)
        nodes.append(
            SimulatedNode(
                replica: .random(using: &generator), line: -1, tableColumns: .first(History.columnCount)))
        let node = nodes.count - 1
        try nodes[node].finish(finals)
        while nodes[node].applied.count < log.count { try deliver(to: node, batch, salt: generator.next()) }
    }
}
