import Foundation
import KenhMerge

/// A sealed block: bytes that no node ever changes, and what their header says.
public struct Block: Sendable {
    public let head: BlockHead
    /// The body as it travels, one zstd frame.
    public let body: [UInt8]
    public let detached: [UInt8]

    public var headerBytes: [UInt8] { head.headerBytes }
    public var deviceSignature: [UInt8] { head.deviceSignature }
    public var officerSignature: [UInt8] { head.officerSignature }
    public var header: BlockHeader { head.header }
    public var hash: Hash256 { head.hash }

    /// Takes a block from the wire or from disk. Header, sizes and body hash are checked; the signature is not, since
    /// that needs the writer's key: see ``verify(deviceKey:)``.
    public init(
        headerBytes: [UInt8], body: [UInt8], deviceSignature: [UInt8], officerSignature: [UInt8], detached: [UInt8]
    ) throws(ProtocolError) {
        let header = try BlockHeader(decoding: headerBytes)
        guard body.count == header.compressedSize else {
            throw ProtocolError(
                .malformed, "the body has \(body.count) bytes, the header says \(header.compressedSize)")
        }
        guard detached.count <= Limits.detachedBytes else {
            throw ProtocolError(.tooLarge, "the detached section is too large")
        }
        head = try BlockHead(
            header, headerBytes: headerBytes, deviceSignature: deviceSignature, officerSignature: officerSignature)
        guard Hashing.sha256(domain: .blockBody, body) == header.bodyHash else {
            throw ProtocolError(.badDigest, "the body does not have the hash that the header gives")
        }
        self.body = body
        self.detached = detached
    }

    public init(_ wire: WireBlock) throws(ProtocolError) {
        try self.init(
            headerBytes: Array(wire.header), body: Array(wire.body), deviceSignature: Array(wire.deviceSignature),
            officerSignature: Array(wire.officerSignature), detached: Array(wire.detached))
    }

    public var wire: WireBlock {
        var wire = WireBlock()
        wire.header = Data(headerBytes)
        wire.body = Data(body)
        wire.deviceSignature = Data(deviceSignature)
        wire.officerSignature = Data(officerSignature)
        wire.detached = Data(detached)
        return wire
    }

    /// Bytes on the wire, near enough for batching.
    public var byteCount: Int {
        headerBytes.count + body.count + deviceSignature.count + officerSignature.count + detached.count + 16
    }

    /// - Throws: ``ProtocolError`` with code `badSignature`.
    public func verify(deviceKey: PublicKey) throws(ProtocolError) { try head.verify(deviceKey: deviceKey) }
}

/// What the writer of a block says of it beside its changes.
public struct BlockDraft: Sendable {
    public var organisation: Hash256
    public var channel: String
    public var replica: ReplicaID
    public var officer: String
    public var firstCounter: UInt64
    public var previous: Hash256
    public var schemaVersion: UInt32
    public var isGroupStart: Bool
    public var isGroupEnd: Bool

    public init(
        organisation: Hash256, channel: String, replica: ReplicaID, officer: String, firstCounter: UInt64,
        previous: Hash256, schemaVersion: UInt32, isGroupStart: Bool, isGroupEnd: Bool
    ) {
        self.organisation = organisation
        self.channel = channel
        self.replica = replica
        self.officer = officer
        self.firstCounter = firstCounter
        self.previous = previous
        self.schemaVersion = schemaVersion
        self.isGroupStart = isGroupStart
        self.isGroupEnd = isGroupEnd
    }
}

/// Seals and opens blocks. Holds the compression contexts; not safe for two threads at once.
public final class BlockCodec {
    private let zstandard = Zstandard()

    public init() {}

    /// Encodes, compresses, chains and signs.
    public func seal(_ builder: BodyBuilder, as draft: BlockDraft, key: SigningKey) throws -> Block {
        let (plain, detached) = builder.finish()
        guard plain.count <= Limits.plainBodyBytes else {
            throw ProtocolError(.tooLarge, "one change has over \(Limits.plainBodyBytes >> 20) MiB")
        }
        let body = try zstandard.compress(plain)
        let header = BlockHeader(
            organisation: draft.organisation, channel: draft.channel, replica: draft.replica, officer: draft.officer,
            firstCounter: draft.firstCounter, count: UInt32(builder.count), previous: draft.previous,
            schemaVersion: draft.schemaVersion, firstClock: builder.firstClock, lastClock: builder.lastClock,
            isGroupStart: draft.isGroupStart, isGroupEnd: draft.isGroupEnd, compressedSize: body.count,
            plainSize: plain.count, bodyHash: Hashing.sha256(domain: .blockBody, body))
        let bytes = try header.encoded()
        return try Block(
            headerBytes: bytes, body: body, deviceSignature: try key.sign(bytes, domain: .blockDevice),
            officerSignature: [], detached: detached)
    }

    /// Decompresses and decodes a body. Rows that it names by birth dots have no ids yet: see ``BlockBody/births``.
    public func open(_ block: Block) throws(ProtocolError) -> BlockBody {
        let plain = try zstandard.decompress(block.body, plainSize: block.header.plainSize)
        do throws(MalformedBytes) {
            let detached = try Self.reading(block.detached) { bytes throws(MalformedBytes) in
                try DetachedSection(decoding: bytes)
            }
            return try Self.reading(plain) { bytes throws(MalformedBytes) in
                try BodyDecoder.decode(bytes, header: block.header, detached: detached)
            }
        } catch {
            throw ProtocolError(.malformed, "the block's body is malformed: \(error.reason) at byte \(error.offset)")
        }
    }

    /// Decompresses a body as far as its ids are concerned.
    public func births(of block: Block) throws(ProtocolError) -> BlockBirths {
        let plain = try zstandard.decompress(block.body, plainSize: block.header.plainSize)
        do throws(MalformedBytes) {
            return try Self.reading(plain) { bytes throws(MalformedBytes) in
                try BodyDecoder.births(bytes, header: block.header)
            }
        } catch {
            throw ProtocolError(.malformed, "the block's body is malformed: \(error.reason) at byte \(error.offset)")
        }
    }

    private static func reading<T>(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(MalformedBytes) -> T
    ) throws(MalformedBytes) -> T {
        let result = bytes.withUnsafeBytes { buffer -> Result<T, MalformedBytes> in
            do throws(MalformedBytes) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
