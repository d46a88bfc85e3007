import KenhMerge
import KenhProtocol

/// What is to be appended.
public struct NewEntry: Sendable {
    public let kind: WireEntryKind
    public let channel: String
    public let object: Hash256
    public let acceptedAtMilliseconds: Int64
    /// Key of the device that brought the object; empty for the centre's own statements.
    public let sender: [UInt8]
    /// The object's bytes: a `Block`, a `SignedStatement`, an `Erasure` or a `Finality`; none of a verdict.
    public let payload: [UInt8]
    /// Of a block.
    public let header: BlockHeader?
    /// A serialised `Ruling`, of a ruling.
    public let ruling: [UInt8]

    public init(
        kind: WireEntryKind, channel: String, object: Hash256, acceptedAtMilliseconds: Int64, sender: [UInt8] = [],
        payload: [UInt8] = [], header: BlockHeader? = nil, ruling: [UInt8] = []
    ) {
        self.ruling = ruling
        self.kind = kind
        self.channel = channel
        self.object = object
        self.acceptedAtMilliseconds = acceptedAtMilliseconds
        self.sender = sender
        self.payload = payload
        self.header = header
    }
}

/// An entry as the log keeps it.
public struct StoredEntry: Sendable, Equatable {
    public let kind: WireEntryKind
    public let channel: String
    public let sequence: UInt64
    public let position: UInt64
    public let objectHash: Hash256
    public let acceptedAtMilliseconds: Int64
    /// Of the log's life in which the entry was made.
    public let epoch: [UInt8]
    public let signature: [UInt8]
    public let sender: [UInt8]
    public let payload: [UInt8]
    public let ruling: [UInt8]

    public init(
        kind: WireEntryKind, channel: String, sequence: UInt64, position: UInt64, objectHash: Hash256,
        acceptedAtMilliseconds: Int64, epoch: [UInt8], signature: [UInt8], sender: [UInt8], payload: [UInt8],
        ruling: [UInt8] = []
    ) {
        self.ruling = ruling
        self.kind = kind
        self.channel = channel
        self.sequence = sequence
        self.position = position
        self.objectHash = objectHash
        self.acceptedAtMilliseconds = acceptedAtMilliseconds
        self.epoch = epoch
        self.signature = signature
        self.sender = sender
        self.payload = payload
    }
}

extension StoredEntry {
    func replacing(payload: [UInt8]) -> StoredEntry {
        StoredEntry(
            kind: kind, channel: channel, sequence: sequence, position: position, objectHash: objectHash,
            acceptedAtMilliseconds: acceptedAtMilliseconds, epoch: epoch, signature: signature, sender: sender,
            payload: payload, ruling: ruling)
    }

    /// A ruling on a block that the log has already has none.
    var hasBlock: Bool { (kind == .block || kind == .ruling) && !payload.isEmpty }
}

/// What the log remembers of a block, for the checks of those that build on it.
public struct LoggedBlock: Sendable, Equatable {
    public let hash: Hash256
    public let replica: ReplicaID
    public let channel: String
    public let lastCounter: UInt64
    /// Whether the next block of the lane begins a group; nil where the log was written before that was noted.
    public let isGroupEnd: Bool?

    public init(hash: Hash256, replica: ReplicaID, channel: String, lastCounter: UInt64, isGroupEnd: Bool? = nil) {
        self.isGroupEnd = isGroupEnd
        self.hash = hash
        self.replica = replica
        self.channel = channel
        self.lastCounter = lastCounter
    }
}

public struct LogHead: Sendable, Equatable {
    public let channel: String
    public let sequence: UInt64
    public let entryHash: Hash256

    public init(channel: String, sequence: UInt64, entryHash: Hash256) {
        self.channel = channel
        self.sequence = sequence
        self.entryHash = entryHash
    }
}

public struct RegisteredDevice: Sendable, Equatable {
    public let key: PublicKey
    /// Empty for the centre's own.
    public let cell: String
    public let name: String
    /// When; nil of one that may go on.
    public let revokedAtMilliseconds: Int64?
    /// The key whose place this one took; nil where it came with a code.
    public let replaces: PublicKey?

    public init(
        key: PublicKey, cell: String, name: String, revokedAtMilliseconds: Int64? = nil, replaces: PublicKey? = nil
    ) {
        self.replaces = replaces
        self.revokedAtMilliseconds = revokedAtMilliseconds
        self.key = key
        self.cell = cell
        self.name = name
    }
}

/// A one-time code that was given out.
public struct IssuedCode: Sendable, Equatable {
    public let secret: [UInt8]
    public let cell: String
    public let expiresAtMilliseconds: Int64
    /// The device that used it; nil while nobody has.
    public let usedBy: [UInt8]?

    public init(secret: [UInt8], cell: String, expiresAtMilliseconds: Int64, usedBy: [UInt8]?) {
        self.secret = secret
        self.cell = cell
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.usedBy = usedBy
    }
}

/// A block that a revoked device wrote, kept aside until a person decides.
public struct QuarantinedBlock: Sendable, Equatable {
    public let hash: Hash256
    /// Whose signature it bears.
    public let writer: PublicKey
    /// Who brought it.
    public let sender: [UInt8]
    public let receivedAtMilliseconds: Int64
    /// A `Block`.
    public let payload: [UInt8]

    public init(
        hash: Hash256, writer: PublicKey, sender: [UInt8], receivedAtMilliseconds: Int64, payload: [UInt8]
    ) {
        self.hash = hash
        self.writer = writer
        self.sender = sender
        self.receivedAtMilliseconds = receivedAtMilliseconds
        self.payload = payload
    }
}

/// The log and the registry in one place, because they have to move together. SQLite is one implementation.
public protocol HubLog: Sendable {
    /// Runs `body` in one transaction that is durable when this returns, or not at all. One at a time.
    func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T
    func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T
    /// Leaves nothing in its files that is no part of the log any more. The log is clean then.
    func scrub() throws
}

extension HubLog {
    /// How many entries it has.
    public func size() throws -> UInt64 { try read { try $0.size } }
}

/// The log's tree has an entry for each position, the leaf of position 1 being number 0: its data is the entry's hash.
public protocol HubTransaction: MerkleNodes {
    /// The log's life now: 16 random bytes.
    var epoch: [UInt8] { get throws }
    /// Whether this is, or once was, the log's life.
    func knows(epoch: [UInt8]) throws -> Bool
    /// Begins a new life: the log was restored from an older copy and goes on differently from there.
    func open(epoch: [UInt8], atMilliseconds: Int64) throws

    // The log.
    /// - Parameter sign: the serving key's signature of an entry that gets this hash.
    func append(
        _ entry: NewEntry, sign: (_ epoch: [UInt8], _ entryHash: Hash256) throws -> [UInt8]
    ) throws -> EntryProof
    /// The newest entry of a block that the log has: it has the earliest acceptance, and all that was ever struck.
    func acceptance(of block: Hash256) throws -> EntryProof?
    /// An entry and its position, by its object (the first of it) or by its place.
    func entry(of object: Hash256) throws -> (proof: EntryProof, position: UInt64)?
    func entry(channel: String, sequence: UInt64) throws -> (proof: EntryProof, position: UInt64)?
    /// Whether an entry has this object.
    func contains(_ object: Hash256) throws -> Bool
    func block(_ hash: Hash256) throws -> LoggedBlock?
    func block(pinnedBy pin: ReplicaPin, channel: String) throws -> LoggedBlock?
    /// In the order of the channels' names.
    func heads() throws -> [LogHead]
    /// Of channels by their names, or by what their names begin with and `*`; each once, in the order of their names.
    func heads(among channels: [String]) throws -> [LogHead]
    func entryHash(channel: String, sequence: UInt64) throws -> Hash256?
    /// Entries after a sequence, in order, until `limitBytes` of payload are reached (at least one).
    func entries(channel: String, after sequence: UInt64, limitBytes: Int) throws -> [StoredEntry]
    /// The last entry of a channel before the first that was accepted at a time or later.
    func lastSequence(of channel: String, acceptedBefore milliseconds: Int64) throws -> UInt64
    /// Of a channel's entries above one sequence up to another, together.
    func payloadBytes(of channel: String, after sequence: UInt64, upTo last: UInt64) throws -> Int
    /// How many entries the log has.
    var size: UInt64 { get throws }
    /// Of an entry, from 1.
    func position(channel: String, sequence: UInt64) throws -> UInt64?
    /// Entries of all channels after a position, in order, until `limitBytes` of payload are reached (at least one).
    func entries(afterPosition position: UInt64, limitBytes: Int) throws -> [StoredEntry]
    /// What the database itself finds wrong with its files.
    func structureProblems() throws -> [String]

    // Erasures.
    /// Notes what is named, and that the files may hold it still.
    func markErased(_ names: [Erasure.Name]) throws
    /// What is named of a block, whether the log has it or not.
    func erased(of block: Hash256) throws -> Set<Erasure.Name>
    /// A block's bytes, a `Block`.
    func payload(of block: Hash256) throws -> [UInt8]?
    /// Its hash, and so the log's, stay as they are.
    func replace(payload: [UInt8], of block: Hash256) throws
    /// Entries of that kind, in the order of the log.
    func erasures() throws -> [StoredEntry]
    /// Sequence of the newest one of each channel that has any.
    func lastErasures() throws -> [String: UInt64]
    var isUnclean: Bool { get throws }
    /// By channel.
    func confirmations(of device: PublicKey) throws -> [String: Confirmation]
    /// - Parameter confirmation: nil where the device has nothing to do with the channel any more.
    func confirm(_ channel: String, _ confirmation: Confirmation?, by device: PublicKey) throws

    // Final deletions.
    /// Up to which entry of a channel everybody has to have come, and since when that is waited for.
    func awaited() throws -> [String: AwaitedDeletions]
    /// - Parameter awaited: nil where nothing is waited for any more.
    func wait(for awaited: AwaitedDeletions?, in channel: String) throws
    /// Up to which entry of each channel a device knew the log when it had sent everything; never beyond what was waited
    /// for.
    func acknowledgements(of device: PublicKey) throws -> [String: UInt64]
    func acknowledge(_ channel: String, _ sequence: UInt64, by device: PublicKey) throws
    /// Entries of that kind, in the order of the log.
    func finalities() throws -> [StoredEntry]

    // Archives.
    /// In the order of their channels and sequences.
    func archives() throws -> [Archive]
    /// Leaves the bodies of a file's blocks to the file, or takes them in again.
    func move(_ file: ArchiveFile, isRestored: Bool) throws -> Archive

    // The registry.
    func addCell(code: String, name: String) throws
    func cellName(_ code: String) throws -> String?
    func addDevice(_ device: RegisteredDevice) throws
    func device(_ key: [UInt8]) throws -> RegisteredDevice?
    /// In the order of their cells and names.
    func devices() throws -> [RegisteredDevice]
    func revoke(_ key: PublicKey, atMilliseconds: Int64) throws
    func addReplica(_ replica: ReplicaID, device: PublicKey) throws
    /// What the root key said of a key of the centre's; that it is known already is no error.
    func addServingCertificate(_ signed: WireSignedStatement, notBeforeMilliseconds: Int64) throws
    /// The one that begins last first.
    func servingCertificates() throws -> [WireSignedStatement]
    func deviceKey(of replica: ReplicaID) throws -> PublicKey?
    func addCode(_ id: [UInt8], _ code: IssuedCode) throws
    func code(_ id: [UInt8]) throws -> IssuedCode?
    func markUsed(_ id: [UInt8], by key: [UInt8]) throws

    /// Of one name, and of one cell and channel, the one that was stated later counts: what comes back after a restore
    /// may be older than what is there.
    func addRole(_ role: Role) throws
    /// What there is of roles, in the order of their names.
    func roles() throws -> [Role]
    func addGrant(_ grant: Grant) throws
    /// In the order of their channels and cells; of one cell those that may concern it.
    func grants(of cell: String?) throws -> [Grant]

    // The quarantine.
    /// Keeps one block; that it is kept already is no error.
    func quarantine(_ block: QuarantinedBlock) throws
    /// Of all writers or of one, in the order in which they came.
    func quarantined(of writer: PublicKey?) throws -> [QuarantinedBlock]
    func quarantinedBytes(of writer: PublicKey) throws -> Int
    func isQuarantined(_ block: Hash256) throws -> Bool
    func leaveQuarantine(_ block: Hash256) throws
}

extension HubTransaction {
    /// What the registry says now of a cell's rights.
    func rights(of cell: String) throws -> Rights {
        let grants = try grants(of: cell)
        // Most organisations have none, and roles nobody has been given need not be read.
        return grants.isEmpty ? Rights() : Rights(grants: grants, roles: try roles())
    }
}
