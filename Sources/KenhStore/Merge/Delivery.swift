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
        /// Of a block that comes without its body, since a snapshot covers it.
        public let head: BlockHead?

        public init(hash: Hash256, block: Block?, acceptance: Acceptance?, head: BlockHead? = nil) {
            self.head = head
            self.hash = hash
            self.block = block
            self.acceptance = acceptance
        }
    }

    public struct Acceptance: Sendable, Equatable {
        public let sequence: UInt64
        public let acceptedAtMilliseconds: Int64
        /// What shows it to the centre after it was restored.
        public let proof: EntryProof?
        /// What was struck of the block.
        public let ruling: Ruling?

        public init(
            sequence: UInt64, acceptedAtMilliseconds: Int64, proof: EntryProof? = nil, ruling: Ruling? = nil
        ) {
            self.ruling = ruling
            self.sequence = sequence
            self.acceptedAtMilliseconds = acceptedAtMilliseconds
            self.proof = proof
        }

        /// - Throws: ``ProtocolError`` with code `malformed` where the proof's ruling is none.
        public init(_ proof: EntryProof) throws(ProtocolError) {
            self.init(
                sequence: proof.sequence, acceptedAtMilliseconds: proof.acceptedAtMilliseconds, proof: proof,
                ruling: proof.kind == .ruling ? try Ruling(decoding: proof.ruling) : nil)
        }
    }

    /// A statement of the registry as the centre signed it.
    public struct Statement: Sendable {
        public let proof: EntryProof
        public let signed: WireSignedStatement

        public init(proof: EntryProof, signed: WireSignedStatement) {
            self.proof = proof
            self.signed = signed
        }
    }

    /// That the log names a snapshot of a channel, or a file that has the bodies of its older blocks.
    public struct NamedFile: Sendable, Equatable {
        public let channel: String
        public let sequence: UInt64
        /// Of the snapshot's manifest, or of the file.
        public let hash: Hash256
    }

    /// In the order of the log.
    public var items: [Item]
    public var snapshots: [NamedFile] = []
    public var archives: [NamedFile] = []
    public var registry: [RegistryFact]
    public var statements: [Statement] = []
    public var erasures: [Erasure] = []
    public var finalities: [Finality] = []
    public var checkpoints: [KeptCheckpoint] = []
    /// Entries that were shown to be in the log's tree, by channel.
    public var covered: [String: LogRecord.Place] = [:]
    /// What an earlier life of the log had shown, and this one does not have.
    public var forgotten: KeptCheckpoint?
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
    case role(Role)
    case grant(Grant)
}

/// What taking a delivery in did.
public struct DeliveryReport: Sendable, Equatable {
    /// Changes merged now.
    public var changes = 0
    public var newBlocks = 0
    /// Blocks that wait for others, or that this version cannot read.
    public var heldBlocks = 0
    public var sealed = SealReport()
    /// Blocks of this store's own replica that were not here: it is a restored copy, or somebody writes in another one.
    public var lostBlocks = 0
    /// Own changes that the writer was not allowed to make, and that were taken out again.
    public var rejectedChanges = 0
    /// Channels that the cell may not read any more, and whose rows were removed.
    public var leftChannels: [String] = []
    /// Erasures that were not known.
    public var erasures = 0
    /// Entries on final deletions that were not known.
    public var finalities = 0
    /// Whether the log has to be told that it had taken blocks earlier than it says.
    public var owesAcceptances = false

    public init() {}
}
