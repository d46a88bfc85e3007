import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// Hostile bytes behind good hashes: what a device with a key could send.
@Suite struct MutatedBlockTests {
    private static let roundsPerPart = 2500

    @Test("20,000 mutated bodies are refused or read whole, and none traps", arguments: 0..<8)
    func bodies(_ part: Int) throws {
        var random = SeededGenerator(seed: UInt64(1000 + part))
        let (codec, zstandard) = (BlockCodec(), Zstandard())
        var taken = 0
        var sample = try Self.sample(&random)
        for round in 0..<Self.roundsPerPart {
            if round.isMultiple(of: 10) { sample = try Self.sample(&random) }
            let plain = Self.mutate(sample.plain, &random)
            let frame = try zstandard.compress(plain)
            var header = sample.header
            header.compressedSize = frame.count
            header.plainSize = plain.count
            header.bodyHash = Hashing.sha256(domain: .blockBody, frame)
            let detached = random.chance(percent: 10) ? Self.mutate(sample.detached, &random) : sample.detached
            do {
                let body = try codec.open(SampleBlock.block(header, frame: frame, detached: detached))
                taken += Self.readWhole(body, header)
            } catch let error as ProtocolError {
                #expect([.malformed, .compression, .tooLarge].contains(error.code))
            }
        }
        #expect(taken > 0, "some mutations change a value only")
    }

    @Test("mutated headers and messages are refused or read, and none traps")
    func messages() throws {
        var random = SeededGenerator(seed: 9)
        let codec = BlockCodec()
        var sample = try Self.sample(&random)
        for round in 0..<2000 {
            if round.isMultiple(of: 10) { sample = try Self.sample(&random) }
            let bytes = Self.mutate(sample.message, &random)
            guard let wire = try? WireCoding.decode(WireBlock.self, from: bytes), let block = try? Block(wire),
                let body = try? codec.open(block)
            else { continue }
            _ = Self.readWhole(body, block.header)
        }
    }

    private struct Sample {
        let plain: [UInt8]
        let detached: [UInt8]
        let header: BlockHeader
        let message: [UInt8]
    }

    private static func sample(_ random: inout SeededGenerator) throws -> Sample {
        let sample = SampleBody.random(&random)
        let (plain, detached) = sample.builder().finish()
        let block = try SampleBlock.seal(sample)
        return Sample(
            plain: plain, detached: detached, header: block.header, message: try WireCoding.encode(block.wire))
    }

    /// Looks at everything that a merge would look at.
    private static func readWhole(_ body: BlockBody, _ header: BlockHeader) -> Int {
        guard body.count == Int(header.count) else { return 0 }
        let changes = SampleBody.changes(of: body)
        return changes.allSatisfy { $0.clock >= header.firstClock && $0.clock <= header.lastClock } ? 1 : 0
    }

    private static func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) {
            let at = random.below(bytes.count + 1)
            switch random.below(6) {
            case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.below(8))
            case 1 where at < bytes.count: bytes[at] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff]) ?? 0
            case 2: bytes.insert(UInt8(random.below(256)), at: at)
            case 3: bytes.removeSubrange(at..<min(bytes.count, at + random.below(4)))
            case 4: bytes.insert(contentsOf: [UInt8](repeating: 0xff, count: 9) + [1], at: at)
            default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random.below(16))], at: at)
            }
        }
        return bytes
    }
}
