import KenhMerge

/// An attachment that this cell has given to the centre or fetched from it, or is to. Local: it is never sent.
public struct Transfer: Sendable, Equatable {
    public enum Direction: Int64, Sendable { case up = 0, down = 1 }

    /// SHA-256 of the content.
    public let hash: Hash256
    public let channel: String
    public let direction: Direction
    /// Bytes; of a download what the row says, until the centre was asked.
    public var size: UInt64
    /// Media type.
    public var type: String
    /// Whether it has arrived. An upload is asked after again later, since a centre may lose it.
    public var isDone: Bool
    /// Failures in a row.
    public var tries: Int
    /// Not before, by the local clock.
    public var nextAtMilliseconds: Int64
    /// Why it failed last, for people; empty where it did not.
    public var error: String
    /// Of the centre's log when an upload was last seen there; empty before.
    public var epoch: [UInt8]

    public init(
        hash: Hash256, channel: String, direction: Direction, size: UInt64, type: String, isDone: Bool = false,
        tries: Int = 0, nextAtMilliseconds: Int64 = 0, error: String = "", epoch: [UInt8] = []
    ) {
        self.hash = hash
        self.channel = channel
        self.direction = direction
        self.size = size
        self.type = type
        self.isDone = isDone
        self.tries = tries
        self.nextAtMilliseconds = nextAtMilliseconds
        self.error = error
        self.epoch = epoch
    }

    /// What tells it from others.
    public struct Key: Hashable, Sendable {
        public let hash: Hash256
        public let channel: String
        public let direction: Direction

        public init(hash: Hash256, channel: String, direction: Direction) {
            self.hash = hash
            self.channel = channel
            self.direction = direction
        }
    }

    public var key: Key { Key(hash: hash, channel: channel, direction: direction) }
}
