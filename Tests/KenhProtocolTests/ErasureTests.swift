import Foundation
import KenhMerge
import KenhProtocol
import Testing

struct ErasureVector: Codable, Equatable {
    struct Change: Codable, Equatable {
        let change: Int
        let columns: [String]
    }

    let about: String
    let block: String
    let changes: [Change]
    let reason: String
    /// The message.
    let erasure: String
    let detachedBefore: String
    let detachedAfter: String
    let entry: EntryVector
}

/// The entry that takes values out of blocks, and the blocks without them.
@Suite struct ErasureTests {
    private static let first = Hash256(1, 0, 0, 0)
    private static let second = Hash256(2, 0, 0, 0)

    private static func name(_ block: Hash256, _ place: Int, _ column: String) -> Erasure.Name {
        Erasure.Name(block: block, place: place, column: column)
    }

    private static func wire(_ change: (inout WireErasure) -> Void = { _ in }) throws -> [UInt8] {
        let names = [name(second, 7, "b"), name(first, 3, "b"), name(first, 3, "a"), name(first, 0, "z")]
        var wire = try WireCoding.decode(
            WireErasure.self, from: Erasure(names, reason: "asked on 3 May").encoded)
        change(&wire)
        return try WireCoding.encode(wire)
    }

    @Test("blocks, changes and columns are written in their order, whatever the order in which they are named")
    func order() throws {
        let erasure = try Erasure(decoding: Self.wire())
        #expect(erasure.blocks.map(\.hash) == [Self.first, Self.second])
        #expect(erasure.blocks[0].changes == [.init(place: 0, columns: ["z"]), .init(place: 3, columns: ["a", "b"])])
        #expect(erasure.reason == "asked on 3 May" && erasure.names.count == 4)
        #expect(try Erasure(erasure.names.reversed(), reason: erasure.reason).encoded == Self.wire())
    }

    private static let refused: [(String, @Sendable (inout WireErasure) -> Void)] = [
        ("nothing", { $0.blocks = [] }), ("blocks out of order", { $0.blocks.reverse() }),
        ("a block twice", { $0.blocks[1] = $0.blocks[0] }), ("a short hash", { $0.blocks[0].hash.removeLast() }),
        ("a block without changes", { $0.blocks[1].changes = [] }),
        ("changes out of order", { $0.blocks[0].changes.reverse() }),
        ("a change twice", { $0.blocks[0].changes[1].change = 0 }),
        ("a change beyond all blocks", { $0.blocks[1].changes[0].change = 65_536 }),
        ("a change without columns", { $0.blocks[1].changes[0].columns = [] }),
        ("columns out of order", { $0.blocks[0].changes[1].columns.reverse() }),
        ("a column twice", { $0.blocks[0].changes[1].columns = ["a", "a"] }),
        ("a column that is no name", { $0.blocks[1].changes[0].columns = ["a b"] }),
        ("an empty column", { $0.blocks[1].changes[0].columns = [""] }),
        ("a long column", { $0.blocks[1].changes[0].columns = [String(repeating: "a", count: 65)] }),
        ("no reason", { $0.reason = "" }), ("a reason of two lines", { $0.reason = "a\nb" }),
        ("a long reason", { $0.reason = String(repeating: "a", count: 201) }),
    ]

    @Test("what is in another form is refused", arguments: refused.indices)
    func refusals(_ at: Int) throws {
        let (what, change) = Self.refused[at]
        let bytes = try Self.wire(change)
        #expect(throws: ProtocolError(.malformed, what), "\(what)") { try Erasure(decoding: bytes) }
    }

    @Test("bytes that are no message, and more than 1 MiB, are refused")
    func bytes() throws {
        #expect(throws: ProtocolError(.malformed, "")) { try Erasure(decoding: [0x0a, 5, 1]) }
        let many = (0..<30_000).map { Self.name(Hash256(UInt64($0), 1, 1, 1), 0, "contact") }
        let bytes = try Erasure(many, reason: "r").encoded
        #expect(bytes.count > Limits.erasureBytes)
        #expect(throws: ProtocolError(.malformed, "")) { try Erasure(decoding: bytes) }
    }

    @Test("what is too much for one entry is split, and nothing is lost")
    func split() throws {
        let names = (0..<40_000).map { Self.name(Hash256(UInt64($0 / 2), 1, 1, 1), $0 % 2, "contact") }
        let parts = Erasure.split(names.shuffled(), reason: String(repeating: "r", count: 200))
        #expect(parts.count > 1)
        for part in parts { #expect(try Erasure(decoding: part.encoded) == part) }
        #expect(Set(parts.flatMap(\.names)) == Set(names))
    }

    // MARK: blocks

    private func sample() throws -> (block: Block, body: BlockBody) {
        let block = try SampleBlock.block(Vectors.makeBlock())
        return (block, try BlockCodec().open(block))
    }

    @Test("a value is taken out of a block, and its hash, signature and all other values stay")
    func strip() throws {
        let before = Vectors.sample.changes
        var changes = before
        changes[1].values["secret_name"] = "Trần Thị Bình"
        let sample = SampleBody(tables: Vectors.sample.tables, changes: changes, firstCounter: 3)
        let block = try SampleBlock.seal(sample)
        let body = try BlockCodec().open(block)
        #expect(body.erased(in: block.hash) == [])
        #expect(body.committed.map(\.change).sorted() == [0, 1])
        let named = Self.name(block.hash, 0, "secret_name")
        let erased = try #require(try block.erasing(body) { $0 == named })
        #expect(erased.hash == block.hash && erased.body == block.body && erased.headerBytes == block.headerBytes)
        #expect(erased.detached.count < block.detached.count)
        #expect(!erased.detached.contains("Nguyễn".utf8) && block.detached.contains("Nguyễn".utf8))
        let after = try BlockCodec().open(erased)
        #expect(after.erased(in: block.hash) == [named])
        let values = SampleBody.changes(of: after).map { $0.values["secret_name"] }
        #expect(values[0] == nil && values[1] == "Trần Thị Bình")
        #expect(try erased.erasing(after) { $0 == named } == nil, "once more changes nothing")
        #expect(try block.erasing(body) { $0.place == 5 } == nil)
    }

    @Test("erasure.json: an erasure, its entry, and the block before and after it")
    func vector() throws {
        #expect(try Vectors.committed("erasure.json", made: Self.makeVector) == Self.makeVector())
    }

    private static func makeVector() throws -> ErasureVector {
        let block = try SampleBlock.block(Vectors.makeBlock())
        let body = try BlockCodec().open(block)
        let erasure = Erasure(
            body.committed.map { body.name(of: $0, in: block.hash) }, reason: "asked on 3 May")
        let bytes = try erasure.encoded
        let object = Erasure.hash(of: bytes)
        let hash = EntryHash.next(
            after: .zero, kind: .erasure, channel: "plan/KH1", sequence: 1, object: object,
            acceptedAtMilliseconds: 1_655_254_800_000)
        return ErasureVector(
            about: "block.json's block; erasure is the message, and the object hash SHA-256 over its tag, 00 and it",
            block: block.hash.bytes.hex,
            changes: erasure.blocks[0].changes.map { .init(change: $0.place, columns: $0.columns) },
            reason: erasure.reason, erasure: bytes.hex, detachedBefore: block.detached.hex,
            detachedAfter: try block.erasing(body) { _ in true }?.detached.hex ?? "",
            entry: EntryVector(
                previous: Hash256.zero.bytes.hex, kind: WireEntryKind.erasure.rawValue, channel: "plan/KH1",
                sequence: 1, objectHash: object.bytes.hex, acceptedAtMs: 1_655_254_800_000,
                entryHash: hash.bytes.hex))
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: String.UTF8View) -> Bool { firstRange(of: Array(part)) != nil }
}
