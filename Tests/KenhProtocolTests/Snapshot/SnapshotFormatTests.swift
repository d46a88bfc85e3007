import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite("The format of snapshots") struct SnapshotFormatTests {
    private static let manifest = SnapshotManifest(
        organisation: Hash256(1, 2, 3, 4), channel: "plan/KH1", sequence: 9, logHash: Hash256(5, 6, 7, 8), blocks: 7,
        waiting: [3, 8], rows: 2, digest: Digest128(high: 9, low: 10),
        chunks: [
            .init(hash: Hash256(1, 1, 1, 1), size: 20, first: SnapshotDot(sequence: 1, index: 0)),
            .init(hash: Hash256(2, 2, 2, 2), size: 300, first: SnapshotDot(sequence: 1, index: 5)),
        ])

    private static let items: [(place: SnapshotDot, item: SnapshotItem)] = [
        (
            SnapshotDot(sequence: 1, index: 0),
            .row(
                table: 0, id: Array("a".utf8),
                writes: [
                    SnapshotWrite(
                        dot: SnapshotDot(sequence: 1, index: 0), isRemoved: false, isDelta: false, isInsert: true,
                        clock: HybridClock(milliseconds: 1_655_254_800_000, tick: 3),
                        values: [(0, .text("đ")), (1, .integer(-5))]),
                    SnapshotWrite(
                        dot: SnapshotDot(sequence: 4, index: 2), isRemoved: true, isDelta: true, isInsert: false,
                        clock: HybridClock(milliseconds: 1_655_254_700_000), values: [(1, .integer(7))]),
                ])
        ),
        (SnapshotDot(sequence: 1, index: 3), .row(table: 1, id: [0, 1], writes: [])),
        (SnapshotDot(sequence: 2, index: 0), .struck(named: [SnapshotDot(sequence: 1, index: 0)])),
        (
            SnapshotDot(sequence: 2, index: 0),
            .row(
                table: 0, id: Array("b".utf8),
                writes: [
                    SnapshotWrite(
                        dot: SnapshotDot(sequence: 4, index: 0), isRemoved: false, isDelta: false, isInsert: false,
                        clock: HybridClock(milliseconds: 0), values: [(0, .null), (1, .real(1.5))])
                ])
        ),
    ]

    private static func chunk() -> [UInt8] {
        var writer = SnapshotChunkWriter()
        _ = writer.table("note", .text)
        _ = writer.column("title", of: 0)
        _ = writer.column("hours", of: 0)
        _ = writer.table("photo", .blob)
        for (place, item) in items { writer.add(item, at: place) }
        return writer.finish()
    }

    @Test("a manifest and a chunk come back as they were, and as the text has them")
    func whole() throws {
        #expect(try SnapshotManifest(decoding: Self.manifest.encoded) == Self.manifest)
        #expect(Self.manifest.chunks(of: 1) == 0..<2 && Self.manifest.chunks(of: 2) == 1..<2)
        let bytes = Self.chunk()
        let chunk = try SnapshotChunk(decoding: bytes)
        #expect(chunk.tables.map(\.name) == ["note", "photo"] && chunk.tables[0].columns == ["title", "hours"])
        #expect(chunk.items.map(\.place) == Self.items.map(\.place))
        #expect(chunk.items.map(\.item) == Self.items.map(\.item))
        #expect(bytes.hex.hasPrefix("0102046e6f74650002057469746c6505686f7572730570686f746f010004" + "01000000016102"))
        #expect(SnapshotChunk.hash(bytes) == Hashing.sha256(domain: .snapshotChunk, bytes))
    }

    private struct Vector: Decodable {
        let chunk: String
        let chunk_hash: String
        let manifest: String
        let snapshot_hash: String
    }

    @Test("the published example is read, and written the same")
    func vector() throws {
        let vector = try Vectors.read(Vector.self, "snapshot.json")
        let chunk = try #require([UInt8](hex: vector.chunk))
        #expect(try Self.again(SnapshotChunk(decoding: chunk)) == chunk)
        #expect(SnapshotChunk.hash(chunk).bytes.hex == vector.chunk_hash)
        let manifest = try SnapshotManifest(decoding: try #require([UInt8](hex: vector.manifest)))
        #expect(manifest.hash.bytes.hex == vector.snapshot_hash && manifest.waiting == [3, 8])
        #expect(manifest.chunks.map(\.hash.bytes.hex) == [vector.chunk_hash])
    }

    @Test("whatever is cut or changed in one bit is read without a trap, and never as the same")
    func changed() {
        for (bytes, read) in [
            (Self.manifest.encoded, { @Sendable in try SnapshotManifest(decoding: $0).encoded }),
            (Self.chunk(), { @Sendable in try Self.again(SnapshotChunk(decoding: $0)) }),
        ] as [([UInt8], @Sendable ([UInt8]) throws -> [UInt8])] {
            for length in 0..<bytes.count {
                #expect(throws: ProtocolError.self) { try read(Array(bytes.prefix(length))) }
            }
            #expect(throws: ProtocolError.self) { try read(bytes + [0]) }
            for bit in 0..<bytes.count * 8 {
                var other = bytes
                other[bit / 8] ^= 1 << UInt8(bit % 8)
                // What can be read is written the same again: there is one way to say it.
                if let back = try? read(other) { #expect(back == other, "bit \(bit)") }
            }
        }
    }

    private static func again(_ chunk: SnapshotChunk) -> [UInt8] {
        var writer = SnapshotChunkWriter()
        for (number, table) in chunk.tables.enumerated() {
            _ = writer.table(table.name, table.idType)
            for column in table.columns { _ = writer.column(column, of: number) }
        }
        for (place, item) in chunk.items { writer.add(item, at: place) }
        return writer.finish()
    }

    @Test(
        "what no maker writes is refused",
        arguments: [
            // No items; a place twice; a named after its row; an unknown form; an unknown table.
            "010000", "010101610000020100000161000000000001610000", "0100020100010000010000", "0100010100020000",
            "010001010000000161" + "00",
            // A write of nothing; flags above 15; the item's own dot in the longer form.
            "010101610000010100000001610108000000", "01010161000001010000000161011000000000",
            "0101016100000101000000016101040100000000",
        ])
    func refused(hex: String) throws {
        let bytes = try #require([UInt8](hex: hex))
        #expect(throws: ProtocolError(.malformed, "")) { try SnapshotChunk(decoding: bytes) }
    }
}
