import KenhMerge

/// What a sync did.
public struct SyncReport: Sendable, Equatable {
    public var rounds = 0
    public var sentBlocks = 0
    public var sentChanges = 0
    public var receivedBlocks = 0
    public var mergedChanges = 0
    /// Blocks that wait for others.
    public var heldBlocks = 0
    /// Blocks of this device's own that came back, since its store is an older copy or there are two of it.
    public var regainedBlocks = 0
    /// Blocks that the centre had lost and was given back.
    public var handedBackBlocks = 0
    /// Changes of this device that its cell was not allowed to make, and that were taken out again.
    public var rejectedChanges = 0
    /// Channels that the cell may not read any more, and whose rows were removed.
    public var leftChannels: [String] = []
    /// Erasures that were followed: their values are gone here.
    public var erasures = 0
    /// Channels whose merged state equals the centre's, by digest.
    public var equalChannels = 0
    /// Channels whose digest differs from the centre's although both have everything.
    public var unequalChannels: [String] = []
    /// Blocks that the centre refused, in words.
    public var refusals: [String] = []
    /// Channels that began with a snapshot, and how many cells had made it again from the blocks.
    public var snapshots: [Begun] = []
    /// Snapshots that were made again here from all their blocks, and were the same.
    public var confirmedSnapshots = 0
    /// What the local clock lacks to the centre's.
    public var clockOffsetMilliseconds: Int64 = 0

    public struct Begun: Sendable, Equatable {
        public let channel: String
        public let confirmedBy: Int
    }

    public init() {}
}
