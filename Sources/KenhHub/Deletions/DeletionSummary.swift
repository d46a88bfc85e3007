import KenhProtocol

/// Up to where everybody has to have followed a channel's log before its deletions are final.
public struct AwaitedDeletions: Sendable, Equatable {
    public let sequence: UInt64
    public let askedAtMilliseconds: Int64

    public init(sequence: UInt64, askedAtMilliseconds: Int64) {
        (self.sequence, self.askedAtMilliseconds) = (sequence, askedAtMilliseconds)
    }
}

/// A channel with deletions that are not final yet, for people.
public struct DeletionSummary: Sendable, Equatable {
    public let channel: String
    public let sequence: UInt64
    public let askedAtMilliseconds: Int64
    /// Devices of cells that read the channel and have not said that they know it up to there.
    public let waiting: [RegisteredDevice]
}

/// An entry on final deletions, for people.
public struct FinalDeletion: Sendable, Equatable {
    public let channel: String
    public let sequence: UInt64
    public let acceptedAtMilliseconds: Int64
    /// How many writes it names, of how many blocks.
    public let writes: Int
    public let blocks: Int
}

public struct DeletionReport: Sendable, Equatable {
    /// How many writes were dropped for good.
    public internal(set) var writes = 0
    public internal(set) var channels: [String] = []

    public init() {}
}
