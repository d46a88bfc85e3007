import KenhMerge
import KenhProtocol

extension Hub {
    /// A channel of the log, for people.
    public struct ChannelSummary: Sendable, Equatable {
        public let name: String
        public let entries: UInt64
        /// Of every cell that is registered, by its code.
        public let roles: [String: String]
    }

    /// Gives a cell a role in a channel, or in all whose names begin alike; the role `none` takes it away.
    ///
    /// - Throws: ``HubError``: `cellUnknown`, `badChannel`, `roleUnknown`.
    public func grant(_ role: String, to cell: String, in channel: String) throws {
        let wanted = Grant(cell: cell, channel: channel, role: role)
        guard wanted.isValid else {
            throw HubError(
                .badChannel,
                "“\(channel)” is no channel: a name has 1 to \(Limits.channelBytes) printable ASCII characters; "
                    + "“plan/*” stands for all whose names begin with plan/")
        }
        try log.write { transaction in
            guard try cell == Grant.everyCell || transaction.cellName(cell) != nil else {
                throw HubError(.cellUnknown, "there is no cell \(cell); see kenh central cells")
            }
            guard try (Role.builtIn + transaction.roles()).contains(where: { $0.name == role }) else {
                throw HubError(
                    .roleUnknown, "there is no role \(role); define it with kenh central role set \(role) --allow …")
            }
            let known = try transaction.grants(of: cell).first { $0.cell == cell && $0.channel == channel }
            if known?.role == role { return }
            let at = later(than: known?.statedAtMilliseconds)
            try transaction.addGrant(
                Grant(cell: cell, channel: channel, role: role, statedAtMilliseconds: at))
            try state(.granted(wanted.wire), at: at, in: transaction)
        }
    }

    /// Says what whoever has the role may write; at once for all who have it.
    ///
    /// - Throws: ``HubError``: `badRole`.
    public func define(role name: String, rights: [String: Operations]) throws {
        guard Role.isValid(name: name), !Role.builtIn.contains(where: { $0.name == name }) else {
            throw HubError(
                .badRole,
                "“\(name)” is no name for a role; use up to \(Role.nameBytes.upperBound) of a–z, 0–9, - and _, and none "
                    + "of \(Role.builtIn.map(\.name).joined(separator: ", "))")
        }
        try log.write { transaction in
            let known = try transaction.roles().first { $0.name == name }
            if known?.rights == rights { return }
            let at = later(than: known?.statedAtMilliseconds)
            let role = Role(name: name, rights: rights, statedAtMilliseconds: at)
            try transaction.addRole(role)
            try state(.roleDefined(role.wire), at: at, in: transaction)
        }
    }

    /// A clock that was put back does not make what is stated now older than what it replaces.
    private func later(than known: Int64?) -> Int64 { max(now(), (known ?? .min) &+ 1) }

    public func roles() throws -> [Role] { try log.read { Role.builtIn + (try $0.roles()) } }

    public func grants() throws -> [Grant] { try log.read { try $0.grants(of: nil) } }

    /// The channels that the log has, in the order of their names.
    public func channels() throws -> [ChannelSummary] {
        try log.read { transaction in
            let grants = try transaction.grants(of: nil)
            let cells = Set(try transaction.devices().map(\.cell) + grants.map(\.cell))
                .subtracting(["", Grant.everyCell])
            let rights = Rights(grants: grants, roles: try transaction.roles())
            return try transaction.heads().filter { $0.channel != ChannelName.registry }.map { head in
                let roles = cells.map { ($0, rights.role(of: $0, in: head.channel).name) }
                return ChannelSummary(
                    name: head.channel, entries: head.sequence, roles: Dictionary(roles) { first, _ in first })
            }
        }
    }
}
