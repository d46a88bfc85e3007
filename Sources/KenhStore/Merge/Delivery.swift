import KenhMerge
import KenhProtocol

/// What an exchange with the centre brought, to be taken in as one transaction.
public struct Delivery: Sendable {
    /// A block and its place in the log. The block's signature has been verified by whoever makes the delivery.
    public struct Item: Sendable {
        public let hash: Hash256
        /// Nil where the store has the block already, being its writer.
        public let block: Block?
        /// Nil for a block without a log entry, which is provisional.
        public let acceptance: Acceptance?

        public init(hash: Hash256, block: Block?, acceptance: Acceptance?) {
            self.hash = hash
            self.block = block
            self.acceptance = acceptance
        }
    }

    public struct Acceptance: Sendable, Equatable {
        public let sequence: UInt64
        public let acceptedAtMilliseconds: Int64

        public init(sequence: UInt64, acceptedAtMilliseconds: Int64) {
            self.sequence = sequence
            self.acceptedAtMilliseconds = acceptedAtMilliseconds
        }
    }

    /// In the order of the log.
    public var items: [Item]
    public var registry: [RegistryFact]
    /// Where the store stands afterwards, for the channels that moved.
    public var cursors: [ChannelCursor]

    public init(items: [Item] = [], registry: [RegistryFact] = [], cursors: [ChannelCursor] = []) {
        self.items = items
        self.registry = registry
        self.cursors = cursors
    }
}

/// Who is who, from the centre's signed registry.
public enum RegistryFact: Sendable, Equatable {
    case cell(code: String, name: String)
    /// The centre's own device has an empty cell code.
    case device(key: PublicKey, cell: String, name: String)
    case replica(ReplicaID, device: PublicKey)
}

/// What taking a delivery in did.
public struct DeliveryReport: Sendable, Equatable {
    /// Changes merged now.
    public var changes = 0
    public var newBlocks = 0
    /// Blocks that wait for others, or that this version cannot read.
    public var heldBlocks = 0
    public var sealed = SealReport()

    public init() {}
}
