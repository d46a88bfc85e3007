import KenhMerge

/// What anybody can check with nothing but roots and a proof (RFC 9162 §2.1.3.2 and §2.1.4.2).
public enum MerkleProof {
    /// Hashes in a proof, at most: one for each level, and one more.
    public static let hashLimit = 65

    /// Whether the leaf is number `index`, from 0, of the tree of `size` leaves with this root.
    public static func holds(
        inclusionOf leafHash: Hash256, at index: UInt64, size: UInt64, root: Hash256, _ path: [Hash256]
    ) -> Bool {
        guard index < size else { return false }
        var (place, last, hash) = (index, size - 1, leafHash)
        for sibling in path {
            guard last > 0 else { return false }
            if place & 1 == 1 || place == last {
                hash = MerkleHash.node(sibling, hash)
                while place & 1 == 0, place > 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                hash = MerkleHash.node(hash, sibling)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && hash == root
    }

    /// Whether the tree of `size` leaves with `root` begins with that of `old` leaves with `oldRoot`. Anything begins
    /// with nothing.
    public static func holds(
        consistencyFrom old: UInt64, _ oldRoot: Hash256, to size: UInt64, _ root: Hash256, _ proof: [Hash256]
    ) -> Bool {
        guard old <= size else { return false }
        guard old > 0 else { return proof.isEmpty && oldRoot == MerkleHash.empty }
        guard old < size else { return proof.isEmpty && oldRoot == root }
        // Of a whole subtree the verifier has the root.
        var rest = old.nonzeroBitCount == 1 ? [oldRoot] + proof : proof
        guard !rest.isEmpty else { return false }
        let first = rest.removeFirst()
        var (place, last) = (old - 1, size - 1)
        while place & 1 == 1 { (place, last) = (place >> 1, last >> 1) }
        var (oldHash, hash) = (first, first)
        for sibling in rest {
            guard last > 0 else { return false }
            if place & 1 == 1 || place == last {
                oldHash = MerkleHash.node(sibling, oldHash)
                hash = MerkleHash.node(sibling, hash)
                while place & 1 == 0, place > 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                hash = MerkleHash.node(hash, sibling)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && oldHash == oldRoot && hash == root
    }
}
