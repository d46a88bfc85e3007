import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// An erasure from the wire: refused in words, or written as it was read.
    static let erasure = FuzzTarget("erasure", seeds: { try ErasureFuzz.seeds() }) { bytes in
        guard let erasure = try? Erasure(decoding: bytes) else { return }
        let names = erasure.names
        try require(!names.isEmpty && Set(names).count == names.count, "names nothing, or a value twice")
        try require(names.allSatisfy { $0.place < Limits.changesPerBlock }, "more than a block has")
        try require(Erasure.isReason(erasure.reason), "a reason that is none")
        try require(try Erasure(decoding: erasure.encoded) == erasure, "an erasure is not read as it was written")
        try require(Erasure(names.reversed(), reason: erasure.reason) == erasure, "its order depends on its maker")
    }
}

private enum ErasureFuzz {
    static func seeds() throws -> [[UInt8]] {
        let names = (0..<6).map {
            Erasure.Name(block: Hash256(UInt64($0 / 3), 1, 2, 3), place: $0 % 2, column: "c\($0)")
        }
        return [try Erasure(names, reason: "asked").encoded, try Erasure(names.prefix(1), reason: "r").encoded]
    }
}
