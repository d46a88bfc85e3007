import KenhMerge
import KenhProtocol
import KenhTesting

/// Blocks put together part by part, so that each part can lie.
struct SampleBlock {
    static let organisation = Hash256(1, 2, 3, 4)
    static let replica = ReplicaID(high: 0x5051_5253_5455_5657, low: 0x5859_5A5B_5C5D_5E5F)

    static func key(_ seed: UInt64 = 1) throws -> SigningKey {
        var random = SeededGenerator(seed: seed)
        return try SigningKey(using: &random)
    }

    static func draft(firstCounter: UInt64 = 1, officer: String = "") -> BlockDraft {
        BlockDraft(
            organisation: organisation, channel: "plan/KH1", replica: replica, officer: officer,
            firstCounter: firstCounter, previous: firstCounter == 1 ? .zero : Hash256(9, 9, 9, 9), schemaVersion: 3,
            isGroupStart: true, isGroupEnd: true)
    }

    static func seal(_ sample: SampleBody) throws -> Block {
        try BlockCodec().seal(
            sample.builder(), as: draft(firstCounter: sample.firstCounter, officer: "an"), key: key())
    }

    /// The header that fits a plain body and its frame.
    static func header(
        plain: [UInt8], frame: [UInt8], count: Int = 1, clock: HybridClock = .sample, last: HybridClock = .sample
    ) -> BlockHeader {
        BlockHeader(
            organisation: organisation, channel: "plan/KH1", replica: replica, officer: "", firstCounter: 1,
            count: UInt32(count), previous: .zero, schemaVersion: 3, firstClock: clock, lastClock: last,
            isGroupStart: true, isGroupEnd: true, compressedSize: frame.count, plainSize: plain.count,
            bodyHash: Hashing.sha256(domain: .blockBody, frame))
    }

    static func block(_ header: BlockHeader, frame: [UInt8], detached: [UInt8] = []) throws -> Block {
        try Block(
            headerBytes: header.encoded(), body: frame, deviceSignature: [UInt8](repeating: 0, count: 64),
            officerSignature: [], detached: detached)
    }

    static func block(_ vector: BlockVector) throws -> Block {
        let bytes = { (hex: String) in [UInt8](hex: hex) ?? [] }
        return try Block(
            headerBytes: bytes(vector.headerBytes), body: bytes(vector.body),
            deviceSignature: bytes(vector.deviceSignature), officerSignature: [], detached: bytes(vector.detached))
    }

    /// Opens a plain body as it would be opened from the wire, without a signature.
    static func open(plain: [UInt8], count: Int = 1, detached: [UInt8] = []) throws -> BlockBody {
        let frame = try Zstandard().compress(plain)
        let header = header(plain: plain, frame: frame, count: count)
        return try BlockCodec().open(block(header, frame: frame, detached: detached))
    }
}

extension HybridClock {
    static let sample = HybridClock(milliseconds: 1_655_254_800_000, tick: 1)
}
