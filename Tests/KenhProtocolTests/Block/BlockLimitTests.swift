import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct BlockLimitTests {
    private let plain = PlainBody().bytes

    private func refusal(_ change: (inout BlockHeader) -> Void) throws -> ProtocolError.Code? {
        let frame = try Zstandard().compress(plain)
        var header = SampleBlock.header(plain: plain, frame: frame)
        change(&header)
        return refusal(header, frame)
    }

    private func refusal(_ header: BlockHeader, _ frame: [UInt8]) -> ProtocolError.Code? {
        do {
            _ = try BlockCodec().open(SampleBlock.block(header, frame: frame))
            return nil
        } catch { return (error as? ProtocolError)?.code }
    }

    @Test("a header that does not fit is refused before the body is looked at")
    func headers() throws {
        #expect(try refusal { _ in } == nil)
        #expect(try refusal { $0.channel = "" } == .malformed)
        #expect(try refusal { $0.channel = String(repeating: "c", count: 201) } == .malformed)
        #expect(try refusal { $0.officer = String(repeating: "đ", count: 101) } == .malformed)
        #expect(try refusal { $0.officer = String(repeating: "o", count: 5000) } == .tooLarge)
        #expect(try refusal { $0.count = 0 } == .malformed)
        #expect(try refusal { $0.count = 65_537 } == .malformed)
        #expect(try refusal { $0.firstCounter = 0 } == .malformed)
        #expect(try refusal { $0.firstCounter = 2 } == .malformed, "only the first has no block before it")
        #expect(try refusal { $0.previous = Hash256(1, 0, 0, 0) } == .malformed, "the first has none")
        #expect(
            try refusal { header in
                header.previous = Hash256(1, 0, 0, 0)
                header.firstCounter = UInt64(Int64.max)
            } == .malformed)
        #expect(try refusal { $0.firstClock = HybridClock.sample.next } == .malformed)
        #expect(try refusal { $0.plainSize = 64 << 20 + 1 } == .tooLarge)
        #expect(try refusal { $0.compressedSize += 1 } == .malformed)
        #expect(try refusal { $0.bodyHash = .zero } == .badDigest)
    }

    @Test("a size that is not the frame's own is refused", arguments: [-1, 1, 1_000_000])
    func plainSize(_ lie: Int) throws {
        #expect(try refusal { $0.plainSize += lie } == .compression)
    }

    @Test("a compression bomb is refused by its declared size, whichever it declares")
    func bomb() throws {
        let frame = try Zstandard().compress([UInt8](repeating: 0, count: 200 << 20))
        #expect(frame.count < 64 << 10)
        let body = Hashing.sha256(domain: .blockBody, frame)
        var header = SampleBlock.header(plain: plain, frame: frame)
        header.bodyHash = body
        #expect(refusal(header, frame) == .compression)
        header.plainSize = 200 << 20
        #expect(refusal(header, frame) == .tooLarge)
        header.plainSize = 0
        #expect(refusal(header, frame) == .compression)
    }

    @Test("a body of 64 MiB of nothing is refused as malformed")
    func emptyBody() throws {
        let zeros = [UInt8](repeating: 0, count: Limits.plainBodyBytes)
        let frame = try Zstandard().compress(zeros)
        #expect(refusal(SampleBlock.header(plain: zeros, frame: frame), frame) == .malformed)
    }

    @Test("a body is one zstd frame: two, a skippable one, none and garbage are refused")
    func frames() throws {
        let frame = try Zstandard().compress(plain)
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7]
        for bytes in [frame + frame, frame + skippable, skippable + frame, skippable, [], [0], Array("garbage".utf8)] {
            #expect(refusal(SampleBlock.header(plain: plain, frame: bytes), bytes) == .compression)
            #expect(refusal(SampleBlock.header(plain: [], frame: bytes), bytes) != nil)
        }
    }

    @Test("a frame that does not say its size is refused")
    func unsizedFrame() throws {
        // As `printf 'a' | zstd --no-check --stream-size=…` would not make it: a raw block of one byte, window 1 KiB.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x09, 0x00, 0x00, 0x61]
        #expect(refusal(SampleBlock.header(plain: [0x61], frame: frame), frame) == .compression)
    }

    @Test("a header of another format says that this program has to be upgraded")
    func format() throws {
        let frame = try Zstandard().compress(plain)
        var wire = try WireCoding.decode(
            WireBlockHeader.self, from: SampleBlock.header(plain: plain, frame: frame).encoded())
        wire.format = 2
        let bytes = try WireCoding.encode(wire)
        let error = #expect(throws: ProtocolError.self) { try BlockHeader(decoding: bytes) }
        #expect(error?.code == .unsupportedVersion)
        #expect(error?.message.contains("upgrade") == true)
    }

    @Test("ids and hashes of a wrong length and unknown group flags are refused")
    func lengths() throws {
        let frame = try Zstandard().compress(plain)
        let good = try WireCoding.decode(
            WireBlockHeader.self, from: SampleBlock.header(plain: plain, frame: frame).encoded())
        let changes: [(inout WireBlockHeader) -> Void] = [
            { $0.organisation.removeLast() }, { $0.replica.append(0) }, { $0.previous.removeAll() },
            { $0.bodyHash.removeFirst() }, { $0.group = 4 },
        ]
        for change in changes {
            var wire = good
            change(&wire)
            let bytes = try WireCoding.encode(wire)
            #expect(throws: ProtocolError(.malformed, "")) { try BlockHeader(decoding: bytes) }
        }
    }

    @Test("a writer cannot seal one change that no reader would take")
    func tooLargeToSeal() throws {
        let value = Value.blob([UInt8](repeating: 1, count: 13 << 20))
        let columns = (0..<5).map { "c\($0)" }
        let sample = SampleBody(
            tables: [.init(name: "t", idType: .text, columns: columns)],
            changes: [
                SampleChange(
                    kind: .insert, table: "t", id: "x", clock: .sample,
                    values: Dictionary(uniqueKeysWithValues: columns.map { ($0, value) }), predecessors: [])
            ])
        let error = #expect(throws: ProtocolError.self) { try SampleBlock.seal(sample) }
        #expect(error?.code == .tooLarge)
    }

    @Test("the estimate by which a writer cuts covers what really comes out")
    func estimate() throws {
        var random = SeededGenerator(seed: 21)
        for _ in 0..<100 {
            let builder = SampleBody.random(&random).builder()
            let (body, detached) = builder.finish()
            #expect(body.count + detached.count <= builder.approximateBytes * 2 + 8192)
        }
    }
}
