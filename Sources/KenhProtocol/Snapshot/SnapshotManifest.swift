import KenhMerge

/// A change by its place in a channel's log, the same on every node: the sequence of the entry that brought its block,
/// and its index in the block, from 0.
public struct SnapshotDot: Hashable, Comparable, Sendable {
    public let sequence: UInt64
    public let index: UInt64

    public init(sequence: UInt64, index: UInt64) {
        self.sequence = sequence
        self.index = index
    }

    public static func < (a: SnapshotDot, b: SnapshotDot) -> Bool {
        a.sequence != b.sequence ? a.sequence < b.sequence : a.index < b.index
    }
}

/// What a snapshot is of, and what it consists of (snapshot-format.md). Two nodes that hold the same entries of a
/// channel's log make the same bytes of it.
public struct SnapshotManifest: Sendable, Equatable {
    public struct Chunk: Sendable, Equatable {
        /// Of its plain bytes.
        public let hash: Hash256
        public let size: Int
        /// The place of its first item.
        public let first: SnapshotDot

        public init(hash: Hash256, size: Int, first: SnapshotDot) {
            self.hash = hash
            self.size = size
            self.first = first
        }
    }

    static let version: UInt64 = 1

    public let organisation: Hash256
    public let channel: String
    /// It covers the channel's entries from 1 to this one.
    public let sequence: UInt64
    /// The hash of that entry, which covers all before it.
    public let logHash: Hash256
    /// How many blocks those entries brought.
    public let blocks: UInt64
    /// Entries whose blocks are not in it, since they wait for others: these travel whole. Ascending.
    public let waiting: [UInt64]
    /// How many rows have a state.
    public let rows: UInt64
    /// Of the channel's merged state.
    public let digest: Digest128
    public let chunks: [Chunk]

    public init(
        organisation: Hash256, channel: String, sequence: UInt64, logHash: Hash256, blocks: UInt64,
        waiting: [UInt64] = [], rows: UInt64, digest: Digest128, chunks: [Chunk]
    ) {
        self.waiting = waiting
        self.organisation = organisation
        self.channel = channel
        self.sequence = sequence
        self.logHash = logHash
        self.blocks = blocks
        self.rows = rows
        self.digest = digest
        self.chunks = chunks
    }

    /// The chunks in which changes of an entry's block stand.
    public func chunks(of sequence: UInt64) -> Range<Int> {
        let end = chunks.firstIndex { $0.first.sequence > sequence } ?? chunks.count
        // The last one before may reach into it.
        let start = chunks[..<end].lastIndex { $0.first.sequence < sequence } ?? 0
        return start..<end
    }

    public var hash: Hash256 { Hashing.sha256(domain: .snapshot, encoded) }

    public var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.varint(Self.version)
        writer.raw(organisation.bytes)
        writer.prefixed(channel.utf8)
        writer.varint(sequence)
        writer.raw(logHash.bytes)
        writer.varint(blocks)
        writer.varint(waiting.count)
        for sequence in waiting { writer.varint(sequence) }
        writer.varint(rows)
        writer.raw(digest.bytes)
        writer.varint(chunks.count)
        for chunk in chunks {
            writer.raw(chunk.hash.bytes)
            writer.varint(chunk.size)
            writer.varint(chunk.first.sequence)
            writer.varint(chunk.first.index)
        }
        return writer.bytes
    }

    /// - Throws: ``ProtocolError``: `malformed`, `unsupportedVersion`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        let read = bytes.withUnsafeBytes { buffer -> Result<SnapshotManifest, MalformedBytes> in
            do throws(MalformedBytes) { return .success(try Self.read(buffer)) } catch { return .failure(error) }
        }
        switch read {
        case .success(let manifest): self = manifest
        case .failure(let error):
            throw ProtocolError(.malformed, "the snapshot's manifest is malformed: \(error.reason)")
        }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) -> SnapshotManifest {
        var reader = ByteReader(bytes)
        guard try reader.varint() == version else { throw MalformedBytes("an unknown version", at: reader.offset) }
        guard let organisation = Hash256(bytes: try reader.raw(32)) else {
            throw MalformedBytes("no organisation", at: reader.offset)
        }
        let channel = String(decoding: try reader.prefixed(upTo: Limits.channelBytes), as: UTF8.self)
        guard ChannelName.isValid(channel) else { throw MalformedBytes("no channel for rows", at: reader.offset) }
        let sequence = try reader.varint()
        guard let logHash = Hash256(bytes: try reader.raw(32)) else {
            throw MalformedBytes("no log hash", at: reader.offset)
        }
        let blocks = try reader.varint()
        var waiting: [UInt64] = []
        for _ in 0..<(try reader.count(upTo: reader.remaining)) {
            let next = try reader.varint()
            guard next > waiting.last ?? 0, next <= sequence else {
                throw MalformedBytes("waiting entries out of order", at: reader.offset)
            }
            waiting.append(next)
        }
        let rows = try reader.varint()
        guard let digest = Digest128(bytes: Array(try reader.raw(16))) else {
            throw MalformedBytes("no digest", at: reader.offset)
        }
        var chunks: [Chunk] = []
        for _ in 0..<(try reader.count(upTo: Limits.snapshotChunks)) {
            guard let hash = Hash256(bytes: try reader.raw(32)) else {
                throw MalformedBytes("no hash", at: reader.offset)
            }
            let size = try reader.count(upTo: Limits.snapshotChunkBytes)
            let first = SnapshotDot(sequence: try reader.varint(), index: try reader.varint())
            guard size > 0, chunks.last.map({ $0.first < first }) ?? true, (1...sequence).contains(first.sequence)
            else { throw MalformedBytes("chunks out of order", at: reader.offset) }
            chunks.append(Chunk(hash: hash, size: size, first: first))
        }
        guard reader.isAtEnd, sequence > 0, sequence < 1 << 62, blocks <= sequence, waiting.count <= blocks else {
            throw MalformedBytes("not a manifest of a log", at: reader.offset)
        }
        return SnapshotManifest(
            organisation: organisation, channel: channel, sequence: sequence, logHash: logHash, blocks: blocks,
            waiting: waiting, rows: rows, digest: digest, chunks: chunks)
    }
}
