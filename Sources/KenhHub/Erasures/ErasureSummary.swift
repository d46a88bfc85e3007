import KenhProtocol

/// How far a device has said that it took a channel's erasures out of everything that it keeps.
public struct Confirmation: Sendable, Equatable {
    public let sequence: UInt64
    /// When it first said so.
    public let seenAtMilliseconds: Int64

    public init(sequence: UInt64, seenAtMilliseconds: Int64) {
        (self.sequence, self.seenAtMilliseconds) = (sequence, seenAtMilliseconds)
    }
}

/// An erasure of the log, for people.
public struct ErasureSummary: Sendable, Equatable {
    public let channel: String
    public let sequence: UInt64
    public let acceptedAtMilliseconds: Int64
    public let reason: String
    /// How many values it names, in how many blocks.
    public let values: Int
    public let blocks: Int
    /// Names of their columns, in their order.
    public let columns: [String]
    /// Devices of cells that read the channel, and the centre's own tables, as long as they have not confirmed it.
    public let waiting: [RegisteredDevice]
}

/// What an erasure did.
public struct ErasureReport: Sendable, Equatable {
    public internal(set) var values = 0
    public internal(set) var blocks = 0
    public internal(set) var channels: [String] = []
    /// Whether the log's file holds nothing of it any more; else that is done later.
    public internal(set) var isClean = true
}
