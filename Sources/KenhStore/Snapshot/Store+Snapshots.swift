import KenhMerge
import KenhProtocol

/// Channels that begin with a snapshot instead of their first block.
extension Store {
    /// Whether a channel may begin with a snapshot: nothing of its log was followed yet.
    public func mayBegin(_ channel: String) throws(StoreError) -> Bool {
        try reading { core in
            guard let known = core.channels.find(channel) else { return true }
            guard known.cursor.sequence == 0 else { return false }
            return try SnapshotTable(core: core).base(of: known.number)?.state != .refused
        }
    }

    /// Whether a block is here that the log has up to a sequence.
    private static func hasBlocks(of channel: Int, upTo sequence: UInt64, _ core: StoreCore) throws(StoreError) -> Bool
    {
        let read = try core.sql(
            "SELECT 1 FROM kenh_block WHERE ch = ? AND sequence <= ? AND base_sequence IS NULL LIMIT 1")
        defer { read.reset() }
        read.bind(1, channel)
        read.bind(2, Int64(clamping: sequence))
        return try read.step()
    }

    /// Begins to fetch a snapshot, or goes on with it.
    ///
    /// - Returns: which of its chunks are not here yet; nil where the channel cannot begin with it, since some of what it
    ///   covers is here already.
    public func begin(_ manifest: SnapshotManifest, _ proof: EntryProof) throws(StoreError) -> [Int]? {
        try transaction { _, core in
            let table = SnapshotTable(core: core)
            let channel = try core.channels.number(manifest.channel)
            guard try !Self.hasBlocks(of: channel, upTo: manifest.sequence, core) else { return nil }
            let known = try table.base(of: channel)
            if known?.state != .fetched || known?.manifest != manifest {
                try table.put(manifest, proof, channel: channel)
            }
            let here = try table.chunks(of: channel)
            return manifest.chunks.indices.filter { !here.contains($0) }
        }
    }

    /// Keeps one chunk, as it travelled.
    ///
    /// - Throws: `ProtocolError` where it is not the manifest's.
    public func keep(chunk number: Int, of manifest: SnapshotManifest, _ packed: [UInt8]) throws {
        _ = try SnapshotChunk(packed: packed, as: manifest.chunks[number])
        try transaction { _, core in
            let table = SnapshotTable(core: core)
            let channel = try core.channels.number(manifest.channel)
            guard try table.base(of: channel)?.manifest == manifest else { return }
            try table.put(packed, number: number, channel: channel)
        }
    }

    /// Gives up a snapshot that cannot be used, and what was built on it: the channel is taken from its first block. What
    /// was written here stays, and so do all blocks with a body.
    public func abandonSnapshot(of name: String, because reason: String, as identity: StoreIdentity) throws(StoreError)
    {
        try transaction { db, core in
            _ = try sealer(core, identity).seal()
            guard let channel = core.channels.find(name) else { return }
            try ChannelLeave(core: core).removeRows(of: channel)
            try core.sql.delete(
                [
                    "kenh_struck WHERE branch IN (SELECT number FROM kenh_branch WHERE ch = ?)",
                    "kenh_snapshot_chunk WHERE ch = ?", "kenh_block WHERE ch = ? AND NOT \(BlockTable.hasBody)",
                    "kenh_branch WHERE ch = ?",
                ], channel: channel.number)
            try SnapshotTable(core: core).set(.refused, channel: channel.number)
            let unmerge = try core.sql(
                "UPDATE kenh_block SET branch = NULL, is_applied = 0, base_sequence = NULL WHERE ch = ?")
            unmerge.bind(1, channel.number)
            try unmerge.run()
            core.channels.restart(channel.number)
            // The lanes of its own that are not merged any more cannot be gone on with.
            try takeNewReplica(core)
            try core.noticeOnce("snapshot", at: now, "the snapshot of \(name) is not used: \(reason)")
            try core.channels.flush()
            core.forget()
            try announce(Set(core.catalogue.tables.keys), core, db)
        }
    }

    // MARK: making one again

    /// Snapshots that the log names and that nobody here has looked at yet.
    public func snapshotsToConfirm() throws(StoreError) -> [(hash: Hash256, channel: String)] {
        try reading { try SeenSnapshotTable(sql: $0.sql).all(in: .new) }
    }

    /// Notes that the centre was told of them.
    public func told(_ hashes: [Hash256]) throws(StoreError) {
        guard !hashes.isEmpty else { return }
        try transaction { _, core in
            for hash in hashes { try SeenSnapshotTable(sql: core.sql).set(.told, of: hash) }
        }
    }

    /// Notes that one cannot be made again here: the centre has a newer one, or nobody to ask.
    public func skipSnapshot(_ hash: Hash256) throws(StoreError) {
        try transaction { _, core in
            try SeenSnapshotTable(sql: core.sql).set(.unknown, of: hash)
        }
    }

    /// Makes a snapshot again from the blocks that are here, and keeps whether it was the same.
    ///
    /// - Returns: nil where not all of its blocks are here as the log then had them.
    /// - Parameter folder: for a store of all its rows.
    public func confirm(_ manifest: SnapshotManifest, in folder: String) throws -> Bool? {
        let blocks = try reading { core in try Self.covered(by: manifest, core) }
        var same: Bool?
        if let blocks {
            let maker = try SnapshotMaker(channel: manifest.channel, folder: folder, random: makeRandom)
            let finalities = try reading { try $0.finals.all(channel: manifest.channel) }
            try maker.take([], finalities: finalities.filter { $0.proof.sequence <= manifest.sequence })
            for start in stride(from: 0, to: blocks.count, by: Self.blocksAtOnce) {
                let part = blocks[start..<min(start + Self.blocksAtOnce, blocks.count)]
                try maker.take(try part.map { try item($0) })
            }
            same =
                try maker.finish(
                    organisation: manifest.organisation, sequence: manifest.sequence, logHash: manifest.logHash
                ) { _, _ in }.hash == manifest.hash
        }
        try transaction { _, core in
            let state: SeenSnapshotTable.State = same.map { $0 ? .same : .different } ?? .unknown
            try SeenSnapshotTable(sql: core.sql).set(state, of: manifest.hash)
            guard same == false else { return }
            try core.noticeOnce(
                "snapshot-differs", at: now,
                "the centre's snapshot \(manifest.hash) of \(manifest.channel) is not what the channel's blocks make; tell the "
                    + "centre's administrator")
        }
        return same
    }

    /// That are merged together.
    private static let blocksAtOnce = 256

    private struct Covered {
        let hash: Hash256
        let sequence: UInt64
        let acceptedAt: Int64
        let ruling: Ruling?
    }

    private func item(_ covered: Covered) throws -> Delivery.Item {
        Delivery.Item(
            hash: covered.hash, block: try block(covered.hash),
            acceptance: .init(
                sequence: covered.sequence, acceptedAtMilliseconds: covered.acceptedAt, ruling: covered.ruling))
    }

    /// The snapshot's blocks in the log's order; nil where they are not all here, or where the log said more of one than
    /// that it took it: that one is known here by its newest entry alone.
    private static func covered(by manifest: SnapshotManifest, _ core: StoreCore) throws -> [Covered]? {
        guard let channel = core.channels.find(manifest.channel) else { return nil }
        let read = try core.sql(
            """
            SELECT hash, sequence, log_accepted_at, ruling, \(BlockTable.hasBody) FROM kenh_block
            WHERE ch = ? AND sequence <= ? ORDER BY sequence
            """)
        defer { read.reset() }
        read.bind(1, channel.number)
        read.bind(2, Int64(clamping: manifest.sequence))
        var blocks: [Covered] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)), !read.isNull(2), read.int(4) != 0 else { return nil }
            blocks.append(
                Covered(
                    hash: hash, sequence: UInt64(clamping: read.int(1)), acceptedAt: read.int(2),
                    ruling: read.isNull(3) ? nil : try Ruling(decoding: read.array(3))))
        }
        let others = try core.entriesWithoutBlocks(of: manifest.channel, upTo: manifest.sequence)
        let isWhole = UInt64(blocks.count) == manifest.blocks && UInt64(blocks.count + others) == manifest.sequence
        return isWhole ? blocks : nil
    }
}

extension Store {
    /// Where the log was followed to the entry that names a channel's snapshot, the channel begins with it.
    ///
    /// - Returns: the tables that changed, and up to which entry of its channel each snapshot reaches.
    func adoptSnapshots(
        _ delivery: Delivery, _ core: StoreCore
    ) throws -> (tables: Set<Int>, bases: [(channel: String, sequence: UInt64)]) {
        for entry in delivery.snapshots { try SeenSnapshotTable(sql: core.sql).add(entry) }
        for entry in delivery.archives { try ArchiveTable(sql: core.sql).add(entry) }
        let table = SnapshotTable(core: core)
        var changed: Set<Int> = []
        var bases: [(channel: String, sequence: UInt64)] = []
        for channel in try table.channels() {
            guard let base = try table.base(of: channel), base.state == .fetched,
                let cursor = delivery.cursors.first(where: { $0.channel == core.channels.name(channel) }),
                cursor.sequence >= base.proof.sequence, try table.hasAll(base.manifest, channel: channel)
            else { continue }
            // What the centre showed when it was asked has to be what stands in its log.
            guard try SeenSnapshotTable(sql: core.sql).contains(base.manifest.hash, at: base.proof.sequence) else {
                throw SnapshotAdoption.unusable(
                    core, channel, "the centre's log does not name the snapshot that it gave")
            }
            let erased = try core.erasures.all(channel: base.manifest.channel, after: base.proof.sequence)
            guard erased.isEmpty else {
                throw SnapshotAdoption.unusable(core, channel, "values were erased that the channel's snapshot has")
            }
            changed.formUnion(
                try SnapshotAdoption(core: core, channel: channel, manifest: base.manifest).run())
            bases.append((base.manifest.channel, base.manifest.sequence))
        }
        return (changed, bases)
    }
}

extension Store {
    /// Begins a channel as another store did: with its snapshot, and the blocks that it covers.
    func begin(asIn other: StoreCore, _ channel: Int, _ identity: StoreIdentity) throws {
        let table = SnapshotTable(core: other)
        guard let base = try table.base(of: channel), base.state == .adopted else { return }
        for number in try begin(base.manifest, base.proof) ?? [] {
            guard let content = try table.content(number, channel: channel) else { continue }
            try keep(chunk: number, of: base.manifest, content)
        }
        var delivery = Delivery(items: try other.blocks.heads(of: channel))
        let entry = base.proof
        delivery.snapshots = [.init(channel: entry.channel, sequence: entry.sequence, hash: entry.object)]
        delivery.cursors = [
            ChannelCursor(
                channel: entry.channel, epoch: entry.epoch, sequence: entry.sequence, logHash: entry.entryHash)
        ]
        _ = try take(delivery, as: identity)
    }
}
