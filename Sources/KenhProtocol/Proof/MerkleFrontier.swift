import KenhMerge

/// All that it takes to add leaves to a tree and to know its root: the roots of its whole subtrees, at most 64.
public struct MerkleFrontier: Sendable, Equatable {
    public typealias Node = MerkleNode

    public private(set) var size: UInt64 = 0
    /// The largest subtree first: one for each bit of ``size``.
    private var peaks: [Hash256] = []

    public init() {}

    /// That of a tree whose nodes are kept.
    public init(size: UInt64, _ nodes: some MerkleNodes) throws {
        self.size = size
        for level in (0..<UInt64.bitWidth).reversed() where size >> UInt64(level) & 1 == 1 {
            peaks.append(try nodes.node(level: level, index: (size >> UInt64(level)) - 1))
        }
    }

    /// Adds a leaf by its leaf hash.
    /// - Returns: the nodes that are whole now, the leaf first.
    @discardableResult
    public mutating func append(_ leafHash: Hash256) -> [Node] {
        var made = [Node(level: 0, index: size, hash: leafHash)]
        var (hash, index, level) = (leafHash, size, 0)
        while index & 1 == 1, let left = peaks.popLast() {
            hash = MerkleHash.node(left, hash)
            (index, level) = (index >> 1, level + 1)
            made.append(Node(level: level, index: index, hash: hash))
        }
        peaks.append(hash)
        size += 1
        return made
    }

    public var root: Hash256 {
        guard var root = peaks.last else { return MerkleHash.empty }
        for peak in peaks.dropLast().reversed() { root = MerkleHash.node(peak, root) }
        return root
    }
}
