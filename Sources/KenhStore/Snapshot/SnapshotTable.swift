import KenhMerge
import KenhProtocol

/// What a store has to say of snapshots in its next request.
public struct SnapshotOutbox: Sendable {
    /// Channels that begin with a snapshot, and the sequence that it covers; 0 where none can be used.
    public var bases: [(channel: String, sequence: UInt64)] = []
    /// Hashes of snapshots that were made again here, and were the same.
    public var confirmed: [Hash256] = []

    public init() {}
}

/// Snapshots as they lie in a store: the base of a channel, fetched chunk by chunk.
struct SnapshotTable {
    let core: StoreCore

    enum State: Int64 {
        /// Chunks are lacking, or the log was not followed to where it names the snapshot.
        case fetched = 0
        /// The channel's state begins with it.
        case adopted = 1
        /// It cannot be used: the channel begins with its first block.
        case refused = 2
    }

    struct Base {
        let manifest: SnapshotManifest
        let proof: EntryProof
        let state: State
    }

    func base(of channel: Int) throws -> Base? {
        let read = try core.sql("SELECT manifest, proof, state FROM kenh_snapshot WHERE ch = ?")
        defer { read.reset() }
        read.bind(1, channel)
        guard try read.step() else { return nil }
        guard let proof = EntryProof(stored: read.array(1)), let state = State(rawValue: read.int(2)) else {
            throw BranchIndex.damaged
        }
        return Base(manifest: try SnapshotManifest(decoding: read.array(0)), proof: proof, state: state)
    }

    /// Channels with a snapshot, whatever became of it.
    func channels() throws(StoreError) -> [Int] {
        let read = try core.sql("SELECT ch FROM kenh_snapshot ORDER BY ch")
        defer { read.reset() }
        var channels: [Int] = []
        while try read.step() { channels.append(Int(read.int(0))) }
        return channels
    }

    func put(_ manifest: SnapshotManifest, _ proof: EntryProof, channel: Int) throws(StoreError) {
        try core.sql.delete(["kenh_snapshot_chunk WHERE ch = ?"], channel: channel)
        let insert = try core.sql(
            "REPLACE INTO kenh_snapshot(ch, hash, manifest, proof, state) VALUES(?, ?, ?, ?, 0)")
        insert.bind(1, channel)
        insert.bind(2, copying: manifest.hash.bytes)
        insert.bind(3, copying: manifest.encoded)
        insert.bind(4, copying: proof.stored)
        try insert.run()
    }

    func set(_ state: State, channel: Int) throws(StoreError) {
        let update = try core.sql("UPDATE kenh_snapshot SET state = ?2 WHERE ch = ?1")
        update.bind(1, channel)
        update.bind(2, state.rawValue)
        try update.run()
    }

    // MARK: chunks

    /// Numbers of the chunks that are here.
    func chunks(of channel: Int) throws(StoreError) -> Set<Int> {
        let read = try core.sql("SELECT number FROM kenh_snapshot_chunk WHERE ch = ?")
        defer { read.reset() }
        read.bind(1, channel)
        var numbers: Set<Int> = []
        while try read.step() { numbers.insert(Int(read.int(0))) }
        return numbers
    }

    /// - Parameter content: as it travels, one zstd frame; it was checked.
    func put(_ content: [UInt8], number: Int, channel: Int) throws(StoreError) {
        let insert = try core.sql("REPLACE INTO kenh_snapshot_chunk(ch, number, content) VALUES(?, ?, ?)")
        insert.bind(1, channel)
        insert.bind(2, number)
        insert.bind(3, copying: content)
        try insert.run()
    }

    func content(_ number: Int, channel: Int) throws(StoreError) -> [UInt8]? {
        let read = try core.sql("SELECT content FROM kenh_snapshot_chunk WHERE ch = ? AND number = ?")
        defer { read.reset() }
        read.bind(1, channel)
        read.bind(2, number)
        return try read.step() ? read.array(0) : nil
    }

    func chunk(_ number: Int, of manifest: SnapshotManifest, channel: Int) throws -> SnapshotChunk {
        guard let content = try content(number, channel: channel) else {
            throw StoreError(.corrupt, "a part of the channel's snapshot is not here", advice: "run kenh repair")
        }
        return try SnapshotChunk(packed: content, as: manifest.chunks[number])
    }

    /// As ``chunk(_:of:channel:)``, without reading again what was read last: one block after another mostly names rows of
    /// the same chunk.
    private func keptChunk(_ number: Int, of manifest: SnapshotManifest, channel: Int) throws -> SnapshotChunk {
        let hash = manifest.chunks[number].hash
        if let latest = core.latestChunk, latest.hash == hash { return latest.chunk }
        let chunk = try chunk(number, of: manifest, channel: channel)
        core.latestChunk = (hash, chunk)
        return chunk
    }

    func hasAll(_ manifest: SnapshotManifest, channel: Int) throws(StoreError) -> Bool {
        try chunks(of: channel).isSuperset(of: manifest.chunks.indices)
    }

    /// The inserts of a block that is here without its body; nil of another.
    func births(of hash: Hash256) throws -> BlockBirths? {
        let read = try core.sql("SELECT ch, base_sequence FROM kenh_block WHERE hash = ? AND base_sequence IS NOT NULL")
        read.bind(1, copying: hash.bytes)
        guard try read.step() else {
            read.reset()
            return nil
        }
        let (channel, sequence) = (Int(read.int(0)), UInt64(clamping: read.int(1)))
        read.reset()
        guard let manifest = try base(of: channel)?.manifest else { return nil }
        var found: [(tables: [BodyTable], items: ArraySlice<(place: SnapshotDot, item: SnapshotItem)>)] = []
        for number in manifest.chunks(of: sequence) {
            let chunk = try keptChunk(number, of: manifest, channel: channel)
            let start = chunk.items.firstIndex { $0.place.sequence >= sequence } ?? chunk.items.endIndex
            let end = chunk.items.firstIndex { $0.place.sequence > sequence } ?? chunk.items.endIndex
            found.append((chunk.tables, chunk.items[start..<end]))
        }
        return BlockBirths(found)
    }

    // MARK: what others are told

    func outbox() throws -> SnapshotOutbox {
        var outbox = SnapshotOutbox()
        for channel in try channels() {
            guard let base = try base(of: channel), let known = core.channels[channel] else { continue }
            switch base.state {
            case .adopted: continue
            case .refused where known.cursor.sequence == 0: outbox.bases.append((known.name, 0))
            case .refused: continue
            case .fetched:
                guard try hasAll(base.manifest, channel: channel) else { continue }
                outbox.bases.append((known.name, base.manifest.sequence))
            }
        }
        outbox.confirmed = try SeenSnapshotTable(sql: core.sql).hashes(in: .same)
        return outbox
    }

    /// Channels of which blocks are here without a body that nobody has merged yet, or that the log lacks: their digests
    /// are nobody's.
    func unsettledChannels() throws(StoreError) -> Set<Int> {
        let read = try core.sql(
            """
            SELECT ch FROM kenh_block WHERE is_applied = 0 AND NOT \(BlockTable.hasBody)
            UNION SELECT ch FROM kenh_block WHERE sequence IS NULL AND NOT \(BlockTable.hasBody)
            """)
        defer { read.reset() }
        var channels: Set<Int> = []
        while try read.step() { channels.insert(Int(read.int(0))) }
        return channels
    }
}

extension SnapshotChunk {
    /// From one zstd frame.
    ///
    /// - Throws: `ProtocolError`: `compression`, `malformed`, and `badDigest` where it is not the manifest's.
    init(packed: [UInt8], as known: SnapshotManifest.Chunk) throws(ProtocolError) {
        let plain = try Zstandard().decompress(packed, plainSize: known.size)
        guard Self.hash(plain) == known.hash else {
            throw ProtocolError(.badDigest, "a chunk of the snapshot does not have the hash that its manifest gives")
        }
        try self.init(decoding: plain)
        guard items.first?.place == known.first else {
            throw ProtocolError(.malformed, "a chunk of the snapshot does not begin where its manifest says")
        }
    }
}
