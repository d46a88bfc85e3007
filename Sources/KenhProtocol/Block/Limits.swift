import KenhMerge

/// Bounds that every node keeps; part of the protocol, version 1.
public enum Limits {
    public static let protocolVersion: UInt32 = 1
    public static let blockFormat: UInt32 = 1
    public static let bodyVersion: UInt8 = 1

    /// A reader takes no more than this, a writer cuts far below it.
    public static let changesPerBlock = 1 << 16
    public static let plainBodyBytes = 64 << 20
    public static let compressedBodyBytes = 64 << 20
    public static let rulingBytes = 1 << 20
    public static let erasureBytes = 1 << 20
    public static let erasureReasonBytes = 200
    public static let finalityBytes = 1 << 20
    /// Kept aside of one revoked device.
    public static let quarantineBytes = 64 << 20
    public static let detachedBytes = 64 << 20
    /// What a reader holds of one body once ids and shared prefixes are written out.
    public static let arenaBytes = 128 << 20
    public static let headerBytes = 4096
    public static let channelBytes = 200
    public static let officerBytes = 200
    public static let tablesPerBlock = 1024
    public static let columnsPerTable = ColumnSet.limit
    public static let nameBytes = 64
    public static let replicasPerBlock = 1 << 16
    public static let predecessorsPerBlock = 1 << 20
    public static let idBytes = 1 << 16
    /// What a reader spends on the blocks whose inserts one block names its rows by: their plain bodies, and
    /// ``birthBlockCost`` for each.
    public static let birthBytesPerBlock = 64 << 20
    public static let birthBlockCost = 16 << 10
    /// The zstd window that a reader allots.
    public static let windowLog = 23

    /// Where a writer cuts: whichever comes first.
    public static let changesPerSealedBlock = 16_384
    public static let plainBytesPerSealedBlock = 4 << 20
    /// The largest value of a column.
    public static let valueBytes = 16 << 20

    public static let requestBytes = 96 << 20
    public static let blocksPerRequest = 4096
    public static let cursorsPerRequest = 100_000
    /// Of one channel's log, in a request that compares logs.
    public static let placesPerChannel = 64
    /// Certificates of a centre: a new key each year for a lifetime.
    public static let servingKeys = 64

    /// A maker cuts after the row that reaches this, a reader takes no chunk above the other.
    public static let snapshotChunkTarget = 1 << 20
    public static let snapshotChunkBytes = 128 << 20
    public static let snapshotChunks = 1 << 17
    public static let snapshotsConfirmed = 64
}
