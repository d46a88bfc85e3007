import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// Final deletions from the wire: refused in words, or written as they were read.
    static let finality = FuzzTarget("finality", seeds: { try FinalityFuzz.seeds() }) { bytes in
        guard let finality = try? Finality(decoding: bytes) else { return }
        try require(finality.count > 0, "names nothing")
        try require(
            finality.blocks.allSatisfy { $0.changes.ranges.last?.upperBound ?? 0 <= Limits.changesPerBlock },
            "more than a block has")
        try require(try Finality(decoding: finality.encoded) == finality, "is not read as it was written")
        try require(Finality(finality.blocks.reversed()) == finality, "its order depends on its maker")
        try require(Finality.split(finality.blocks) == [finality], "one that is small enough is cut")
    }
}

private enum FinalityFuzz {
    static func seeds() throws -> [[UInt8]] {
        let parts = (0..<3).map {
            Finality.BlockPart(hash: Hash256(UInt64($0), 1, 2, 3), changes: ChangeSet([0, 1, 4 + $0]))
        }
        return [try Finality(parts).encoded, try Finality(parts.prefix(1)).encoded]
    }
}
