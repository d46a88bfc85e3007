import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension Simulation {
    /// A laptop is reported stolen, and whatever was copied from it is revoked with it. Its people go on.
    func revoke(_ number: Int) throws -> String {
        let cell = node(number)
        guard cell.number > 0, revoked.count < 2 else { return "nobody" }
        let key = cell.identity.key.publicKey
        // Whether it is done is found out later, where something strikes.
        if revoked[key] == nil { revoked[key] = ledger.count }
        try centre.hub().revoke(key, reason: "stolen")
        count(.deviceRevoked)
        return "cell \(cell.number) is revoked"
    }

    private func isRevoked(_ cell: SimulatedNode) -> Bool { revoked[cell.identity.key.publicKey] != nil }

    /// Those who were revoked are told so once more, whatever the log has forgotten, and take no part in what comes. In
    /// every second seed what they brought afterwards is taken all the same.
    func dismissRevoked() throws {
        guard !revoked.isEmpty else { return }
        let hub = try centre.hub()
        for key in revoked.keys.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            try hub.revoke(key, reason: "stolen")
        }
        for cell in cells where isRevoked(cell) {
            do {
                _ = try settle(cell)
                throw SimulationFailure("cell \(cell.number) was revoked, and synced")
            } catch let error as CellError where error.recovery == .askAPerson {}
            // What the centre forgot it may have from nobody else.
            ledger.doubt(cell.number, after: plan.restores == .centre ? 0 : acknowledged[cell.number] ?? 0)
        }
        let kept = try hub.quarantined().count
        count(.quarantined, kept)
        let report =
            try plan.seed.isMultiple(of: 2)
            ? hub.acceptQuarantined { _ in true } : hub.dropQuarantined { _ in true }
        guard report.accepted + report.dropped + report.refusals.count == kept else {
            throw SimulationFailure("of \(kept) blocks in quarantine \(report) came out")
        }
        dismissedNodes = cells.filter(isRevoked)
        dismissed = Dictionary(
            uniqueKeysWithValues: dismissedNodes.map { ($0.number, revoked[$0.identity.key.publicKey] ?? 0) })
        cells.removeAll(where: isRevoked)
    }

    /// Nothing that they wrote later is anywhere, unless it was taken out of the quarantine, or before the centre knew.
    func isUnwanted(_ entry: Ledger.Entry, at place: Int) -> Bool {
        guard let since = dismissed[entry.node], !plan.seed.isMultiple(of: 2), plan.restores != .centre else {
            return false
        }
        return place >= since && entry.isUnique
    }
}
