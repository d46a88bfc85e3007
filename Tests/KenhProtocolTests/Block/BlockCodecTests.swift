import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct BlockCodecTests {
    @Test("whatever a writer may put into a body comes out of it", arguments: 0..<8)
    func roundTrip(_ part: Int) throws {
        var random = SeededGenerator(seed: UInt64(part))
        let codec = BlockCodec()
        let key = try SampleBlock.key()
        for _ in 0..<40 {
            let sample = SampleBody.random(&random)
            let draft = SampleBlock.draft(firstCounter: sample.firstCounter)
            let block = try codec.seal(sample.builder(), as: draft, key: key)
            #expect(SampleBody.changes(of: try codec.open(block)) == sample.changes)
            let sent = try WireCoding.encode(block.wire)
            let received = try Block(try WireCoding.decode(WireBlock.self, from: sent))
            try received.verify(deviceKey: key.publicKey)
            #expect(received.hash == block.hash && received.header == block.header)
            #expect(SampleBody.changes(of: try codec.open(received)) == sample.changes)
        }
    }

    @Test("erased values are gone, the others and the block's hash stay", arguments: 0..<4)
    func erased(_ part: Int) throws {
        var random = SeededGenerator(seed: UInt64(100 + part))
        let codec = BlockCodec()
        var erasedCount = 0
        for _ in 0..<30 {
            let sample = SampleBody.random(&random)
            let block = try SampleBlock.seal(sample)
            var section = try Self.section(block.detached)
            erasedCount += section.items.count
            section.items = section.items.map { _ in .erased }
            let erased = try Block(
                headerBytes: block.headerBytes, body: block.body, deviceSignature: block.deviceSignature,
                officerSignature: [], detached: section.encoded)
            #expect(erased.hash == block.hash)
            try erased.verify(deviceKey: SampleBlock.key().publicKey)
            let kept = sample.changes.map { change in
                var change = change
                change.values = change.values.filter { !$0.key.hasPrefix("secret") || $0.value == .null }
                return change
            }
            #expect(SampleBody.changes(of: try codec.open(erased)) == kept)
        }
        #expect(erasedCount > 20)
    }

    private static func section(_ bytes: [UInt8]) throws -> DetachedSection {
        try bytes.withUnsafeBytes { try DetachedSection(decoding: $0) }
    }

    @Test("the same changes make the same plain body")
    func deterministic() throws {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<20 {
            let sample = SampleBody.random(&random)
            let (first, second) = (sample.builder().finish(), sample.builder().finish())
            #expect(first.body == second.body && first.detached == second.detached)
        }
    }

    @Test("a header says what the writer said, and its clocks and counts are the body's")
    func header() throws {
        var random = SeededGenerator(seed: 2)
        let sample = SampleBody.random(&random)
        let header = try SampleBlock.seal(sample).header
        let draft = SampleBlock.draft(firstCounter: sample.firstCounter, officer: "an")
        #expect(header.channel == draft.channel && header.replica == draft.replica && header.officer == "an")
        #expect(header.previous == draft.previous && header.schemaVersion == 3)
        #expect(header.count == UInt32(sample.changes.count))
        #expect(header.lastCounter == sample.firstCounter + UInt64(sample.changes.count) - 1)
        #expect(header.firstClock == sample.changes.map(\.clock).min())
        #expect(header.lastClock == sample.changes.map(\.clock).max())
    }

    @Test("ids of 32 lowercase hex digits travel as 16 bytes, others as they are")
    func hexIDs() throws {
        func size(_ ids: [String]) -> Int {
            let changes = ids.map {
                SampleChange(kind: .insert, table: "t", id: .text($0), clock: .sample, values: [:], predecessors: [])
            }
            let table = SampleBody.Table(name: "t", idType: .text, columns: [])
            return SampleBody(tables: [table], changes: changes).builder().finish().body.count
        }
        let lower = "0123456789abcdef0123456789abcdef"
        #expect(size([lower.uppercased()]) - size([lower]) == 18)
        #expect(size([lower, lower]) - size([lower]) == 16)
        #expect(size([String(lower.dropLast())]) - size([lower]) == 17)
    }
}
