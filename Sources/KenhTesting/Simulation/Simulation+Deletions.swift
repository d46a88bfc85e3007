import KenhHub
import KenhStore

extension Simulation {
    func settleDeletions(_ patience: Int64) throws -> String {
        centre.node.losers = nil
        let report = try centre.settleDeletions(patience: patience)
        acknowledge(0, ledger.count)
        count(.finished, report.writes)
        return "\(report.writes) writes are deleted for good"
    }

    /// What is deleted is deleted for good once everybody has seen it.
    func finishDeletions() throws {
        guard plan.hasDeletions else { return }
        count(.editedTooLate, try rejected().count { $0.code == "rowDeleted" })
        for _ in 1...2 {
            _ = try centre.settleDeletions(patience: .max)
            try settle()
            // The first sync of each brings what is to be acknowledged, the next one says so.
            try settle()
        }
        let left = try centre.node.store().channelsWithDeletedRows()
        guard left.isEmpty else {
            let waiting = try centre.hub().deletions().map { "\($0.channel) for \($0.waiting.map(\.cell))" }
            throw SimulationFailure("deleted rows are left in \(left.sorted()), waiting in \(waiting)")
        }
    }
}
