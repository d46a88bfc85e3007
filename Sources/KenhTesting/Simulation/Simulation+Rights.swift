import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// Of whom in what something was granted.
struct GrantKey: Hashable {
    let cell: String
    let channel: String
}

extension Simulation {
    private static let channels = ["org", "org", "plan/A", "plan/B", "plan/*", "memo", "*"]
    private static let roles = ["writer", "writer", "reader", "some", "some", "none"]
    /// What those with the role `some` may write.
    private static let some: [String: Operations] = [
        "item": .update, "task": [.insert, .update], "photo": [], "*": [.insert, .update],
    ]

    func grant(_ cell: Int, _ channel: Int, _ role: Int) throws -> String {
        let hub = try centre.hub()
        let key = GrantKey(
            cell: cell == 0 ? Grant.everyCell : "CB\(cell)", channel: Self.channels[channel % Self.channels.count])
        let role = Self.roles[role % Self.roles.count]
        if role != "writer" { count(.rightTaken) }
        granted.insert(key)
        try hub.define(role: "some", rights: Self.some)
        try hub.grant(role, to: key.cell, in: key.channel)
        return "\(key.cell) is \(role) in \(key.channel)"
    }

    /// What a cell wrote in a channel that it left is at the centre alone, which may be put back. A sync that fails
    /// may have left one, too, and one that it had begun itself, so the cell is looked at before each request.
    func noteChannels(_ cell: SimulatedNode) throws {
        guard plan.hasRights else { return }
        let channels = Set(try cell.store().cursors().map(\.channel))
        let left = (channelsSeen[cell.number] ?? []).subtracting(channels)
        channelsSeen[cell.number] = channels
        guard !left.isEmpty else { return }
        count(.leftChannel, left.count)
        ledger.doubt(cell.number, after: 0)
    }

    /// All have to have the same in the end. What the log may have forgotten is stated anew, or it would come back.
    func letAllRead() throws {
        let keys = granted.sorted { ($0.cell, $0.channel) < ($1.cell, $1.channel) }
        guard !keys.isEmpty else { return }
        let hub = try centre.hub()
        try hub.define(role: "some", rights: Self.some)
        for (number, key) in keys.enumerated() {
            let role = number.isMultiple(of: 2) ? "reader" : "some"
            for role in ["writer", role] { try hub.grant(role, to: key.cell, in: key.channel) }
        }
    }

    /// What was struck, once each, though several machines keep it.
    func rejected() throws -> [RejectedChange] {
        var seen: Set<Hash256> = []
        var result: [RejectedChange] = []
        for node in nodes + dismissedNodes {
            let changes = try node.store().rejected()
            result += changes.filter { !seen.contains($0.block) }
            seen.formUnion(changes.map(\.block))
        }
        return result
    }
}

extension RejectedChange {
    func wrote(_ value: Value, _ place: LedgerPlace) -> Bool {
        table == place.table && id == place.id && values[place.column] == value
    }
}
