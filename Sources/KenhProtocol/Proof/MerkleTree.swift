import KenhMerge

/// A node over a whole subtree, which never changes again.
public struct MerkleNode: Sendable, Equatable {
    public let level: Int
    public let index: UInt64
    public let hash: Hash256
}

/// Where a tree's nodes are kept. Only nodes over whole subtrees are: the one of `level` and `index` is over the leaves
/// `index << level` to `(index + 1) << level - 1`, so that none ever changes.
public protocol MerkleNodes {
    func node(level: Int, index: UInt64) throws -> Hash256
}

/// A Merkle tree as in RFC 6962 §2.1, over any prefix of the leaves whose nodes are kept.
///
///     leaf hash = SHA-256(00 ‖ leaf)      node hash = SHA-256(01 ‖ left ‖ right)
public struct MerkleTree {
    private let nodes: any MerkleNodes

    public init(_ nodes: any MerkleNodes) { self.nodes = nodes }

    /// The root over the first `size` leaves.
    public func root(size: UInt64) throws -> Hash256 {
        size == 0 ? MerkleHash.empty : try hash(0..<size)
    }

    /// The audit path of RFC 6962 §2.1.1, from the leaf upwards.
    ///
    /// - Precondition: `index < size`.
    public func inclusion(of index: UInt64, size: UInt64) throws -> [Hash256] {
        precondition(index < size, "a leaf is in the tree that it is proved to be in")
        var path: [Hash256] = []
        var range = 0..<size
        while range.upperBound - range.lowerBound > 1 {
            let (left, right) = Self.halves(range)
            path.append(try hash(left.contains(index) ? right : left))
            range = left.contains(index) ? left : right
        }
        return path.reversed()
    }

    /// What shows that the first `old` leaves of the tree of `size` are those of the tree of `old` (RFC 6962 §2.1.2).
    ///
    /// - Precondition: `0 < old <= size`.
    public func consistency(from old: UInt64, to size: UInt64) throws -> [Hash256] {
        precondition(old > 0 && old <= size, "a tree grows out of one that is not larger, nor empty")
        var proof: [Hash256] = []
        var range = 0..<size
        // Whether the range's own root is one that the verifier has.
        var isKnown = true
        while range.upperBound != old {
            let (left, right) = Self.halves(range)
            if old <= left.upperBound {
                proof.append(try hash(right))
                range = left
            } else {
                proof.append(try hash(left))
                range = right
                isKnown = false
            }
        }
        if !isKnown { proof.append(try hash(range)) }
        return proof.reversed()
    }

    /// The nodes that are whole once a leaf is added as number `index`, the leaf first.
    public func adding(_ leafHash: Hash256, at index: UInt64) throws -> [MerkleNode] {
        var made = [MerkleNode(level: 0, index: index, hash: leafHash)]
        var (hash, index, level) = (leafHash, index, 0)
        while index & 1 == 1 {
            hash = MerkleHash.node(try nodes.node(level: level, index: index - 1), hash)
            (index, level) = (index >> 1, level + 1)
            made.append(MerkleNode(level: level, index: index, hash: hash))
        }
        return made
    }

    /// The left one has the largest power of two of leaves that is less than all.
    private static func halves(_ range: Range<UInt64>) -> (Range<UInt64>, Range<UInt64>) {
        let count = range.upperBound - range.lowerBound
        let middle = range.lowerBound + 1 << UInt64(UInt64.bitWidth - 1 - (count - 1).leadingZeroBitCount)
        return (range.lowerBound..<middle, middle..<range.upperBound)
    }

    private func hash(_ range: Range<UInt64>) throws -> Hash256 {
        let count = range.upperBound - range.lowerBound
        if count.nonzeroBitCount == 1 {
            let level = count.trailingZeroBitCount
            return try nodes.node(level: level, index: range.lowerBound >> UInt64(level))
        }
        let (left, right) = Self.halves(range)
        return MerkleHash.node(try hash(left), try hash(right))
    }
}
