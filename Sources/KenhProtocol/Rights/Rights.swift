import KenhMerge

/// The role of a cell in a channel, or in all channels whose names begin alike.
public struct Grant: Sendable, Equatable {
    public static let everyCell = "*"

    public let cell: String
    /// A channel's name, or what names begin with and `*`.
    public let channel: String
    public let role: String
    /// When the centre took the statement.
    public let statedAtMilliseconds: Int64

    public init(cell: String, channel: String, role: String, statedAtMilliseconds: Int64 = 0) {
        self.statedAtMilliseconds = statedAtMilliseconds
        self.cell = cell
        self.channel = channel
        self.role = role
    }

    /// What names begin with; nil of a single channel's.
    public var prefix: Substring? { channel.hasSuffix("*") ? channel.dropLast() : nil }

    public func covers(cell: String, channel name: String) -> Bool {
        guard self.cell == cell || self.cell == Self.everyCell else { return false }
        guard let prefix else { return channel.utf8.elementsEqual(name.utf8) }
        return name.utf8.starts(with: prefix.utf8)
    }

    /// Of two that cover the same, the one that says more exactly what it is about decides: first by the channel, then by
    /// the cell.
    fileprivate var exactness: (channel: Int, cell: Int) {
        (prefix?.utf8.count ?? .max, cell == Self.everyCell ? 0 : 1)
    }

    /// Whether the channel is a name or what names begin with.
    public var isValid: Bool {
        let name = prefix.map { String($0) } ?? channel
        return prefix != nil && name.isEmpty || ChannelName.isValid(name)
    }
}

/// Who may do what, by the statements of the registry up to some place in it. Where no grant covers a cell and a
/// channel, the cell may do everything there: an organisation that needs no rights need not think of them.
public struct Rights: Sendable, Equatable {
    private var grants: [Grant] = []
    private var roles: [String: Role] = [:]

    public init(grants: [Grant] = [], roles: [Role] = []) {
        for grant in grants { add(grant) }
        for role in roles { add(role) }
    }

    /// In the order of the log. Of two about the same the one that was stated later counts, though one of them may have
    /// been lost and handed back; where they are of one time, the later in the log.
    public mutating func add(_ grant: Grant) {
        if let known = grants.firstIndex(where: { $0.cell == grant.cell && $0.channel == grant.channel }) {
            guard grants[known].statedAtMilliseconds <= grant.statedAtMilliseconds else { return }
            grants.remove(at: known)
        }
        grants.append(grant)
    }

    /// As ``add(_:)-(Grant)``.
    public mutating func add(_ role: Role) {
        if let known = roles[role.name], known.statedAtMilliseconds > role.statedAtMilliseconds { return }
        roles[role.name] = role
    }

    /// - Parameter cell: empty for the centre's own device, which may do everything.
    public func role(of cell: String, in channel: String) -> Role {
        guard !cell.isEmpty, channel != ChannelName.registry else { return .writer }
        let grant = grants.filter { $0.covers(cell: cell, channel: channel) }.max { $0.exactness < $1.exactness }
        return grant.map { role(named: $0.role) } ?? .writer
    }

    /// Of a role that was never defined nothing is known to be allowed.
    private func role(named name: String) -> Role {
        Role.builtIn.first { $0.name == name } ?? roles[name] ?? .none
    }

    /// Among which channels those are that a cell may read: names, and beginnings of names with `*`. So that a sync need
    /// not look at those of a thousand others.
    /// - Returns: nil where channels that nobody spoke of are open to the cell.
    public func channelsToRead(by cell: String) -> [String]? {
        guard !cell.isEmpty else { return nil }
        let own = grants.filter { $0.cell == cell || $0.cell == Grant.everyCell }
        guard own.contains(where: { $0.prefix?.isEmpty == true }) else { return nil }
        return own.filter { role(named: $0.role).reads }.map(\.channel) + [ChannelName.registry]
    }

    /// What a cell's block has that the cell may not write; nil where it may write all.
    public func ruling(on block: Block, _ body: BlockBody, of cell: String) -> Ruling? {
        let channel = block.header.channel
        let role = role(of: cell, in: channel)
        guard !role.writesEverything else { return nil }
        let struck = ChangeSet(
            (0..<body.count).lazy.filter {
                !role.allows(body.kinds[$0], table: body.tables[Int(body.tableRefs[$0])].name)
            })
        guard let first = struck.ranges.first?.lowerBound else { return nil }
        guard role.writes else {
            return Ruling(
                struck: struck, code: "notGranted", message: "the cell \(cell) may not write in the channel \(channel)")
        }
        let table = body.tables[Int(body.tableRefs[first])].name
        return Ruling(
            struck: struck, code: "tableNotGranted",
            message: "as \(role.name) the cell \(cell) may not \(Self.verb(body.kinds[first])) \(table) in the channel "
                + channel)
    }

    private static func verb(_ kind: ChangeKind) -> String {
        switch kind {
        case .insert: "add rows to"
        case .update, .add: "change rows of"
        case .delete: "delete rows of"
        }
    }
}

// MARK: on the wire

extension Grant {
    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(_ wire: WireGranted, statedAtMilliseconds: Int64) throws(ProtocolError) {
        self.init(
            cell: wire.cell, channel: wire.channel, role: wire.role, statedAtMilliseconds: statedAtMilliseconds)
        guard isValid, !cell.isEmpty, Role.isValid(name: role) else {
            throw ProtocolError(.malformed, "a grant cannot be understood")
        }
    }

    public var wire: WireGranted {
        var wire = WireGranted()
        (wire.cell, wire.channel, wire.role) = (cell, channel, role)
        return wire
    }
}
