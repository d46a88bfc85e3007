import Foundation
import KenhMerge

/// The centre's word that values of erasable columns are to be kept by nobody any more. Every node takes them out of the
/// blocks that it holds, and out of those that come to it later.
public struct Erasure: Sendable, Equatable {
    public struct Change: Sendable, Equatable {
        /// In the block, from 0.
        public let place: Int
        /// Ascending by their bytes.
        public let columns: [String]

        public init(place: Int, columns: [String]) { (self.place, self.columns) = (place, columns) }
    }

    public struct BlockPart: Sendable, Equatable {
        public let hash: Hash256
        /// Ascending.
        public let changes: [Change]

        public init(hash: Hash256, changes: [Change]) { (self.hash, self.changes) = (hash, changes) }
    }

    /// One value.
    public struct Name: Hashable, Sendable {
        public let block: Hash256
        public let place: Int
        public let column: String

        public init(block: Hash256, place: Int, column: String) {
            (self.block, self.place, self.column) = (block, place, column)
        }
    }

    /// Ascending by hash.
    public let blocks: [BlockPart]
    /// Why, for people. Never what was erased.
    public let reason: String

    /// - Parameter names: in any order.
    public init(_ names: some Sequence<Name>, reason: String) {
        blocks = Dictionary(grouping: Set(names), by: \.block).map { hash, names in
            let changes = Dictionary(grouping: names, by: \.place).map { place, names in
                Change(place: place, columns: names.map(\.column).sorted(by: Self.precedes))
            }
            return BlockPart(hash: hash, changes: changes.sorted { $0.place < $1.place })
        }.sorted { $0.hash < $1.hash }
        self.reason = reason
    }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Limits.erasureBytes else { throw Self.malformed("is larger than 1 MiB") }
        let wire = try WireCoding.decode(WireErasure.self, from: bytes)
        guard Self.isReason(wire.reason) else { throw Self.malformed("does not say why in one short line") }
        var blocks: [BlockPart] = []
        for part in wire.blocks {
            guard let hash = Hash256(bytes: part.hash), blocks.last.map({ $0.hash < hash }) ?? true else {
                throw Self.malformed("does not name blocks in their order")
            }
            blocks.append(BlockPart(hash: hash, changes: try Self.changes(part.changes)))
        }
        guard !blocks.isEmpty else { throw Self.malformed("names nothing") }
        self.blocks = blocks
        reason = wire.reason
    }

    private static func changes(_ wire: [WireErasedChange]) throws(ProtocolError) -> [Change] {
        var changes: [Change] = []
        for named in wire {
            let place = Int(named.change)
            guard changes.last.map({ $0.place < place }) ?? true, place < Limits.changesPerBlock else {
                throw malformed("names changes that no block has, or not in their order")
            }
            guard !named.columns.isEmpty, named.columns.allSatisfy(isName),
                zip(named.columns, named.columns.dropFirst()).allSatisfy(precedes)
            else { throw malformed("does not name columns in their order") }
            changes.append(Change(place: place, columns: named.columns))
        }
        guard !changes.isEmpty else { throw malformed("names a block and none of its changes") }
        return changes
    }

    private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    private static func isName(_ text: String) -> Bool {
        (1...Limits.nameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
            }
    }

    /// One line of 1 to 200 bytes.
    public static func isReason(_ text: String) -> Bool {
        (1...Limits.erasureReasonBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }

    private static func malformed(_ what: String) -> ProtocolError {
        ProtocolError(.malformed, "an erasure \(what)")
    }

    public var encoded: [UInt8] {
        get throws {
            var wire = WireErasure()
            wire.reason = reason
            wire.blocks = blocks.map { part in
                var wire = WireErasedBlock()
                wire.hash = Data(part.hash.bytes)
                wire.changes = part.changes.map { change in
                    var wire = WireErasedChange()
                    (wire.change, wire.columns) = (UInt32(change.place), change.columns)
                    return wire
                }
                return wire
            }
            return try WireCoding.encode(wire)
        }
    }

    public var names: [Name] {
        blocks.flatMap { part in
            part.changes.flatMap { change in
                change.columns.map { Name(block: part.hash, place: change.place, column: $0) }
            }
        }
    }

    /// The object hash of its entry.
    public static func hash(of bytes: [UInt8]) -> Hash256 { Hashing.sha256(domain: .erasure, bytes) }

    /// As many as it takes for each to stay within the limit.
    public static func split(_ names: [Name], reason: String) -> [Erasure] {
        // A hash, a name of a column, and what stands around them, each as if nothing were shared.
        var parts: [[Name]] = [[]]
        var bytes = 0
        for name in names.sorted(by: { ($0.block, $0.place) < ($1.block, $1.place) }) {
            bytes += Hash256.byteCount + name.column.utf8.count + 24
            if bytes > Limits.erasureBytes - 2 * Limits.erasureReasonBytes {
                parts.append([])
                bytes = Hash256.byteCount + name.column.utf8.count + 24
            }
            parts[parts.count - 1].append(name)
        }
        return parts.filter { !$0.isEmpty }.map { Erasure($0, reason: reason) }
    }
}
