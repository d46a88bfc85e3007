import KenhProtocol

/// Where a store cuts its work into pieces. A simulation sets them low, so that small histories meet every seam.
package struct WorkLimits: Sendable {
    package var changesPerBlock = Limits.changesPerSealedBlock
    package var plainBytesPerBlock = Limits.plainBytesPerSealedBlock
    /// Pending changes that are sorted and sealed together.
    package var changesPerChunk = 250_000
    /// Arrived changes that are sorted and merged together.
    package var changesPerMerge = 1 << 16
    /// Where a deep check makes its copy; nil for a folder of its own among the system's temporary ones.
    package var rebuildPath: String?

    /// What a reader may spend to find one row that is named by its birth dot, in bytes of the blocks that have to be
    /// read again for it. Where it would be more, ids are spelled out.
    package var bytesPerBirth = 1024

    /// How the file is written; another than ``Durability/current`` where a test asks for it.
    package var durability = Durability.current

    package init() {}
}
