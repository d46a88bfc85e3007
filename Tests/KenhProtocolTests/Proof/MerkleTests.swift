import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// A tree as RFC 6962 defines it, worked out anew from all its leaves each time.
private enum NaiveTree {
    static func root(_ leaves: ArraySlice<[UInt8]>) -> Hash256 {
        guard leaves.count > 1 else { return leaves.first.map { MerkleHash.leaf($0) } ?? MerkleHash.empty }
        var half = 1
        while half * 2 < leaves.count { half *= 2 }
        return MerkleHash.node(root(leaves.prefix(half)), root(leaves.dropFirst(half)))
    }
}

private struct KeptNodes: MerkleNodes {
    struct Place: Hashable {
        let level: Int
        let index: UInt64
    }
    struct Missing: Error { let place: Place }

    var hashes: [Place: Hash256] = [:]

    func node(level: Int, index: UInt64) throws -> Hash256 {
        let place = Place(level: level, index: index)
        guard let hash = hashes[place] else { throw Missing(place: place) }
        return hash
    }
}

@Suite struct MerkleTests {
    private static let leaves = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ].map { [UInt8](hex: $0) ?? [] }

    private func tree(_ leaves: [[UInt8]]) -> (nodes: KeptNodes, frontier: MerkleFrontier) {
        var (nodes, frontier) = (KeptNodes(), MerkleFrontier())
        for leaf in leaves {
            for node in frontier.append(MerkleHash.leaf(leaf)) {
                nodes.hashes[.init(level: node.level, index: node.index)] = node.hash
            }
        }
        return (nodes, frontier)
    }

    private func leaves(_ count: Int) -> [[UInt8]] { (0..<UInt64(count)).map { $0.bigEndianBytes } }

    // The tree of Certificate Transparency's own reference tests.
    @Test("roots are those of RFC 6962's reference tree")
    func reference() throws {
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        #expect(
            MerkleHash.empty.bytes.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        for (count, root) in zip(1..., roots) {
            #expect(tree(Array(Self.leaves.prefix(count))).frontier.root.bytes.hex == root, "\(count)")
        }
    }

    @Test("the root of every prefix, by nodes and by frontier, is the one that all leaves give")
    func roots() throws {
        let leaves = leaves(70)
        let (nodes, _) = tree(leaves)
        for size in 0...leaves.count {
            let root = NaiveTree.root(leaves.prefix(size))
            #expect(try MerkleTree(nodes).root(size: UInt64(size)) == root)
            #expect(try MerkleFrontier(size: UInt64(size), nodes).root == root)
            #expect(try MerkleFrontier(size: UInt64(size), nodes) == tree(Array(leaves.prefix(size))).frontier)
        }
    }

    @Test("every leaf of every tree is proved, and nothing else by the same proof")
    func inclusion() throws {
        let leaves = leaves(40)
        let (nodes, _) = tree(leaves)
        for size in UInt64(1)...40 {
            let root = NaiveTree.root(leaves.prefix(Int(size)))
            for index in 0..<size {
                let path = try MerkleTree(nodes).inclusion(of: index, size: size)
                let leaf = MerkleHash.leaf(leaves[Int(index)])
                #expect(MerkleProof.holds(inclusionOf: leaf, at: index, size: size, root: root, path))
                #expect(path.count < MerkleProof.hashLimit)
                for other in 0...size where other != index {
                    #expect(!MerkleProof.holds(inclusionOf: leaf, at: other, size: size, root: root, path))
                }
                let wrong = MerkleHash.leaf([9])
                #expect(!MerkleProof.holds(inclusionOf: wrong, at: index, size: size, root: root, path))
                for broken in Self.broken(path) {
                    #expect(!MerkleProof.holds(inclusionOf: leaf, at: index, size: size, root: root, broken))
                }
            }
        }
    }

    @Test("every tree is proved to have grown from every smaller one, and from no other")
    func consistency() throws {
        let leaves = leaves(40)
        let (nodes, _) = tree(leaves)
        let roots = (0...40).map { NaiveTree.root(leaves.prefix($0)) }
        for size in UInt64(1)...40 {
            #expect(MerkleProof.holds(consistencyFrom: 0, roots[0], to: size, roots[Int(size)], []))
            for old in 1...size {
                let proof = try MerkleTree(nodes).consistency(from: old, to: size)
                let (oldRoot, root) = (roots[Int(old)], roots[Int(size)])
                #expect(MerkleProof.holds(consistencyFrom: old, oldRoot, to: size, root, proof))
                #expect(!MerkleProof.holds(consistencyFrom: old, .zero, to: size, root, proof))
                #expect(!MerkleProof.holds(consistencyFrom: old, oldRoot, to: size, .zero, proof))
                #expect(!MerkleProof.holds(consistencyFrom: old + 1, oldRoot, to: size, root, proof))
                for broken in Self.broken(proof) {
                    #expect(!MerkleProof.holds(consistencyFrom: old, oldRoot, to: size, root, broken))
                }
            }
        }
    }

    @Test("a log whose past was rewritten has no proof that holds", arguments: 0..<20)
    func rewritten(place: Int) throws {
        let old = leaves(20)
        var new = leaves(37)
        new[place] = [1, 2, 3]
        let (nodes, frontier) = tree(new)
        let proof = try MerkleTree(nodes).consistency(from: 20, to: 37)
        #expect(!MerkleProof.holds(consistencyFrom: 20, NaiveTree.root(old[...]), to: 37, frontier.root, proof))
    }

    /// One hash less, more, changed, or out of its place.
    private static func broken(_ proof: [Hash256]) -> [[Hash256]] {
        var broken = [proof + [.zero], [.zero] + proof]
        guard !proof.isEmpty else { return broken }
        broken += [Array(proof.dropLast()), Array(proof.dropFirst())]
        for place in proof.indices {
            var changed = proof
            changed[place] = Hash256(1, 2, 3, 4)
            broken.append(changed)
        }
        return broken
    }
}
