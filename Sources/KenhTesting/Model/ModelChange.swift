import KenhMerge

/// The name of a change, the same on every node.
public struct ModelName: Hashable, Comparable, Sendable {
    public let replica: ReplicaID
    public let counter: UInt64
    /// The block that holds it, which tells the branches of a cloned lane apart.
    public let block: Hash256

    public init(replica: ReplicaID, counter: UInt64, block: Hash256) {
        self.replica = replica
        self.counter = counter
        self.block = block
    }

    public static func < (a: ModelName, b: ModelName) -> Bool {
        (a.replica, a.counter, a.block) < (b.replica, b.counter, b.block)
    }
}

extension ModelName: CustomStringConvertible {
    public var description: String { "\(replica):\(counter)@\(block)" }
}

/// One row touched by one statement, with everything that the naive model needs to know of it.
public struct ModelChange: Hashable, Sendable {
    public let name: ModelName
    /// The table and the id, joined as the caller likes.
    public let row: String
    public let kind: ChangeKind
    /// The values by column, of an addition the integers to add; empty for a delete.
    public let values: [Int: Value]
    /// What its writer saw of what it overwrites.
    public let predecessors: Set<ModelName>
    /// The effective clock, which a later correction may lower.
    public var clock: HybridClock

    public init(
        name: ModelName, row: String, kind: ChangeKind, values: [Int: Value], predecessors: Set<ModelName>,
        clock: HybridClock
    ) {
        self.name = name
        self.row = row
        self.kind = kind
        self.values = values
        self.predecessors = predecessors
        self.clock = clock
    }

    /// The columns that it writes: those with a value, and existence where it inserts.
    public var written: Set<Int> {
        let columns = Set(values.keys)
        return switch kind {
        case .insert: columns.union([ModelStamp.existence])
        case .update, .add: columns
        case .delete: []
        }
    }
}
