import Foundation
import KenhMerge

/// The centre's word that rows are deleted for good: every node drops the named writes from its rows' states, whenever it
/// meets them. Blocks keep them.
public struct Finality: Sendable, Equatable {
    public struct BlockPart: Sendable, Equatable {
        public let hash: Hash256
        public let changes: ChangeSet

        public init(hash: Hash256, changes: ChangeSet) { (self.hash, self.changes) = (hash, changes) }
    }

    /// Ascending by hash.
    public let blocks: [BlockPart]

    public init(_ blocks: some Sequence<BlockPart>) { self.blocks = blocks.sorted { $0.hash < $1.hash } }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Limits.finalityBytes else { throw Self.malformed("is larger than 1 MiB") }
        let wire = try WireCoding.decode(WireFinality.self, from: bytes)
        var blocks: [BlockPart] = []
        for part in wire.blocks {
            guard let hash = Hash256(bytes: part.hash), blocks.last.map({ $0.hash < hash }) ?? true else {
                throw Self.malformed("does not name blocks in the order of their hashes")
            }
            guard let changes = ChangeSet(part.changes), !changes.isEmpty else {
                throw Self.malformed("names changes that no block has")
            }
            blocks.append(BlockPart(hash: hash, changes: changes))
        }
        guard !blocks.isEmpty else { throw Self.malformed("names nothing") }
        self.blocks = blocks
    }

    private static func malformed(_ what: String) -> ProtocolError {
        ProtocolError(.malformed, "an entry on final deletions \(what)")
    }

    public var encoded: [UInt8] {
        get throws {
            var wire = WireFinality()
            wire.blocks = blocks.map { part in
                var wire = WireFinalBlock()
                (wire.hash, wire.changes) = (Data(part.hash.bytes), part.changes.wire)
                return wire
            }
            return try WireCoding.encode(wire)
        }
    }

    /// The object hash of its entry.
    public static func hash(of bytes: [UInt8]) -> Hash256 { Hashing.sha256(domain: .finality, bytes) }

    public var count: Int { blocks.reduce(0) { $0 + $1.changes.count } }

    /// As many as it takes for each to stay within the limit.
    public static func split(_ blocks: some Sequence<BlockPart>) -> [Finality] {
        var parts: [[BlockPart]] = [[]]
        var bytes = 0
        for part in blocks.sorted(by: { $0.hash < $1.hash }) {
            // Two varints of at most three bytes with a byte in front of each, and what stands around a range and a block.
            let size = Hash256.byteCount + 12 + 10 * part.changes.ranges.count
            bytes += size
            if bytes > Limits.finalityBytes {
                parts.append([])
                bytes = size
            }
            parts[parts.count - 1].append(part)
        }
        return parts.filter { !$0.isEmpty }.map { Finality($0) }
    }
}
