import KenhMerge
import KenhProtocol

/// An entry as the log keeps it.
public struct StoredEntry: Sendable {
    public let kind: WireEntryKind
    public let channel: String
    public let sequence: UInt64
    public let position: UInt64
    public let objectHash: Hash256
    public let acceptedAtMilliseconds: Int64
    public let entryHash: Hash256
    /// Key of the device that brought the object; empty for the centre's own statements.
    public let sender: [UInt8]
    /// The object's bytes: a `Block` or a `SignedStatement`.
    public let payload: [UInt8]

    public init(
        kind: WireEntryKind, channel: String, sequence: UInt64, position: UInt64, objectHash: Hash256,
        acceptedAtMilliseconds: Int64, entryHash: Hash256, sender: [UInt8], payload: [UInt8]
    ) {
        self.kind = kind
        self.channel = channel
        self.sequence = sequence
        self.position = position
        self.objectHash = objectHash
        self.acceptedAtMilliseconds = acceptedAtMilliseconds
        self.entryHash = entryHash
        self.sender = sender
        self.payload = payload
    }
}

/// What the log remembers of a block, for the checks of those that build on it.
public struct LoggedBlock: Sendable, Equatable {
    public let hash: Hash256
    public let replica: ReplicaID
    public let channel: String
    public let lastCounter: UInt64
    public let sequence: UInt64
    public let acceptedAtMilliseconds: Int64

    public init(
        hash: Hash256, replica: ReplicaID, channel: String, lastCounter: UInt64, sequence: UInt64,
        acceptedAtMilliseconds: Int64
    ) {
        self.hash = hash
        self.replica = replica
        self.channel = channel
        self.lastCounter = lastCounter
        self.sequence = sequence
        self.acceptedAtMilliseconds = acceptedAtMilliseconds
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

    public init(key: PublicKey, cell: String, name: String) {
        self.key = key
        self.cell = cell
        self.name = name
    }
}

/// A one-time code that was given out.
public struct IssuedCode: Sendable {
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

/// The log and the registry in one place, because they have to move together. SQLite is one implementation.
public protocol HubLog: Sendable {
    /// Runs `body` in one transaction that is durable when this returns, or not at all. One at a time.
    func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T
    func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T
}

public protocol HubTransaction {
    var epoch: [UInt8] { get throws }

    // The log.
    func append(
        kind: WireEntryKind, channel: String, object: Hash256, payload: [UInt8], sender: [UInt8], header: BlockHeader?,
        acceptedAtMilliseconds: Int64
    ) throws -> StoredEntry
    func block(_ hash: Hash256) throws -> LoggedBlock?
    func block(pinnedBy pin: ReplicaPin, channel: String) throws -> LoggedBlock?
    func heads() throws -> [LogHead]
    func entryHash(channel: String, sequence: UInt64) throws -> Hash256?
    /// Entries after a sequence, in order, until `limitBytes` of payload are reached (at least one).
    func entries(channel: String, after sequence: UInt64, limitBytes: Int) throws -> [StoredEntry]

    // The registry.
    func addCell(code: String, name: String) throws
    func cellName(_ code: String) throws -> String?
    func addDevice(_ device: RegisteredDevice) throws
    func device(_ key: [UInt8]) throws -> RegisteredDevice?
    func addReplica(_ replica: ReplicaID, device: PublicKey) throws
    func deviceKey(of replica: ReplicaID) throws -> PublicKey?
    func addCode(_ id: [UInt8], _ code: IssuedCode) throws
    func code(_ id: [UInt8]) throws -> IssuedCode?
    func markUsed(_ id: [UInt8], by key: [UInt8]) throws
}
