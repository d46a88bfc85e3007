import KenhProtocol

/// Where a store cuts its work into pieces. A simulation sets them low, so that small histories meet every seam.
package struct WorkLimits: Sendable {
    package var changesPerBlock = Limits.changesPerSealedBlock
    package var plainBytesPerBlock = Limits.plainBytesPerSealedBlock
    /// Pending changes that are sorted and sealed together.
    package var changesPerChunk = 250_000
    /// Arrived changes that are sorted and merged together.
    package var changesPerMerge = 1 << 16

    package init() {}
}
