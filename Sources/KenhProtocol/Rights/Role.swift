import KenhMerge

/// What may be done to rows of a table.
public struct Operations: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let insert = Operations(rawValue: 1)
    public static let update = Operations(rawValue: 2)
    public static let delete = Operations(rawValue: 4)
    public static let all: Operations = [.insert, .update, .delete]

    public static func needed(for kind: ChangeKind) -> Operations {
        switch kind {
        case .insert: .insert
        case .update, .add: .update
        case .delete: .delete
        }
    }
}

/// What a cell that has it may do in a channel.
public struct Role: Sendable, Equatable {
    public static let anyTable = "*"

    public let name: String
    public let reads: Bool
    /// By table; what is said of ``anyTable`` holds for tables that are not named.
    public let rights: [String: Operations]
    /// When the centre took the statement.
    public let statedAtMilliseconds: Int64

    public init(
        name: String, reads: Bool = true, rights: [String: Operations] = [:], statedAtMilliseconds: Int64 = 0
    ) {
        self.statedAtMilliseconds = statedAtMilliseconds
        self.name = name
        self.reads = reads
        self.rights = rights
    }

    /// Neither reads nor writes.
    public static let none = Role(name: "none", reads: false)
    public static let reader = Role(name: "reader")
    public static let writer = Role(name: "writer", rights: [anyTable: .all])
    /// Roles that nobody can define otherwise.
    public static let builtIn = [none, reader, writer]

    public var writes: Bool { rights.values.contains { !$0.isEmpty } }
    public var writesEverything: Bool { rights.values.allSatisfy { $0 == .all } && rights[Self.anyTable] != nil }

    public func allows(_ kind: ChangeKind, table: String) -> Bool {
        (rights[table] ?? rights[Self.anyTable] ?? []).isSuperset(of: .needed(for: kind))
    }
}

// MARK: on the wire

extension Role {
    public static let nameBytes = 1...32

    public static func isValid(name: String) -> Bool {
        nameBytes.contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x5f
            }
    }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(_ wire: WireRoleDefined, statedAtMilliseconds: Int64) throws(ProtocolError) {
        var rights: [String: Operations] = [:]
        for right in wire.rights {
            let operations = Operations(rawValue: right.operations)
            guard !right.table.isEmpty, rights[right.table] == nil, Operations.all.isSuperset(of: operations) else {
                throw ProtocolError(.malformed, "a role's rights cannot be understood")
            }
            rights[right.table] = operations
        }
        guard Self.isValid(name: wire.name), !Self.builtIn.contains(where: { $0.name == wire.name }) else {
            throw ProtocolError(.malformed, "“\(wire.name)” is no name for a role")
        }
        self.init(name: wire.name, rights: rights, statedAtMilliseconds: statedAtMilliseconds)
    }

    public var encoded: [UInt8] { (try? WireCoding.encode(wire)) ?? [] }

    public var wire: WireRoleDefined {
        var wire = WireRoleDefined()
        wire.name = name
        wire.rights = rights.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { table, operations in
            var wire = WireTableRight()
            (wire.table, wire.operations) = (table, operations.rawValue)
            return wire
        }
        return wire
    }
}
