import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// How a snapshot that was made is found again by those who make, serve and list them.
public struct MadeSnapshot: Sendable {
    public let manifest: SnapshotManifest
    public let proof: EntryProof
    /// Codes of cells whose devices made it again.
    public let cells: [String]
}

/// Snapshots of channels: made from the log, named in it, and given to devices that begin with a channel.
extension Hub {
    /// Entries that are merged in one transaction of a maker, by their bytes.
    private static let pageBytes = 4 << 20

    /// From now on devices are offered what is on the shelf.
    public func offerSnapshots(from shelf: SnapshotShelf) { snapshotShelf.withLock { $0 = shelf } }

    // MARK: making

    /// How much of a channel's log a new snapshot would cover, and how much the newest one does, in bytes.
    public func snapshotGain(
        of channel: String, acceptedBefore milliseconds: Int64
    ) throws -> (sequence: UInt64, coveredBytes: Int, newBytes: Int) {
        try log.read { transaction in
            let last = try transaction.lastSequence(of: channel, acceptedBefore: milliseconds)
            let covered = try newest(of: channel, transaction)?.manifest.sequence ?? 0
            return (
                last, try transaction.payloadBytes(of: channel, after: 0, upTo: covered),
                try transaction.payloadBytes(of: channel, after: covered, upTo: last)
            )
        }
    }

    /// Channels for rows that the log has.
    public func snapshotChannels() throws -> [String] {
        try log.read { try $0.heads() }.map(\.channel).filter { $0 != ChannelName.registry }
    }

    /// Makes a snapshot of a channel's entries up to one, puts it on the shelf, and names it in the log.
    ///
    /// - Parameters:
    ///   - folder: for the maker's store, as large as the channel's rows.
    ///   - progress: told up to which entry it has come.
    /// - Throws: what `progress` throws; ``HubError``: `logMismatch` where the log was restored meanwhile.
    public func makeSnapshot(
        of channel: String, upTo last: UInt64, in folder: String, progress: (UInt64) throws -> Void = { _ in }
    ) throws -> MadeSnapshot {
        guard let shelf = snapshotShelf.withLock({ $0 }) else {
            throw HubError(.unavailable, "this centre keeps no snapshots")
        }
        // What is erased while it is being made may be in it or not.
        let erased = try log.read { try $0.lastErasures()[channel] }
        let maker = try SnapshotMaker(channel: channel, folder: folder, random: makeRandom)
        var reached: UInt64 = 0
        while reached < last {
            let page = try log.read { [reached] in
                try $0.entries(channel: channel, after: reached, limitBytes: Self.pageBytes)
            }
            let entries = page.filter { $0.sequence <= last }
            try maker.take(
                try entries.compactMap { try $0.item() }, finalities: try entries.compactMap { try $0.finality() })
            guard let end = page.last?.sequence else { break }
            reached = min(end, last)
            try progress(reached)
        }
        guard reached == last, last > 0, let hash = try log.read({ try $0.entryHash(channel: channel, sequence: last) })
        else { throw HubError(.logMismatch, "the log of \(channel) does not reach entry \(last)") }
        let zstandard = Zstandard()
        let manifest = try maker.finish(organisation: identity.organisation, sequence: last, logHash: hash) {
            guard !shelf.contains($0, in: channel) else { return }
            try shelf.put(try zstandard.compress($1), as: $0, in: channel)
        }
        try shelf.put(manifest)
        let proof: EntryProof
        do { proof = try name(manifest, unlessErasedSince: erased) } catch {
            pruneSnapshots(of: [channel])
            throw error
        }
        pruneSnapshots(of: [channel])
        return MadeSnapshot(manifest: manifest, proof: proof, cells: [])
    }

    /// Removes what makers left in a folder that were killed.
    public static func sweepSnapshotMakers(in folder: String, olderThan date: Date) {
        SnapshotMaker.sweep(folder, olderThan: date)
    }

    private func name(_ manifest: SnapshotManifest, unlessErasedSince erased: UInt64?) throws -> EntryProof {
        try log.write { transaction in
            let hash = try transaction.entryHash(channel: manifest.channel, sequence: manifest.sequence)
            guard hash == manifest.logHash else {
                throw HubError(
                    .logMismatch,
                    "the log of \(manifest.channel) was restored while its snapshot was made; make it again",
                    recovery: .retry)
            }
            guard try transaction.lastErasures()[manifest.channel] == erased else {
                throw HubError(
                    .unavailable,
                    "values were erased in \(manifest.channel) while its snapshot was made; make it again",
                    recovery: .retry)
            }
            if let known = try transaction.entry(of: manifest.hash)?.proof, known.sequence > erased ?? 0 {
                return known
            }
            return try append(
                NewEntry(
                    kind: .snapshot, channel: manifest.channel, object: manifest.hash, acceptedAtMilliseconds: now()),
                in: transaction)
        }
    }

    /// Older ones are removed, but for the one before the newest, which somebody may be fetching, and those that have what
    /// was erased.
    func pruneSnapshots(of channels: [String]) {
        guard let shelf = snapshotShelf.withLock({ $0 }) else { return }
        for channel in channels {
            guard let made = try? log.read({ try made(of: channel, $0) }) else { continue }
            shelf.prune(channel, keeping: made.prefix(2).map(\.manifest))
        }
    }

    // MARK: giving

    /// The newest snapshot of a channel that is of this log, and that the log names.
    func newest(of channel: String, _ transaction: any HubTransaction) throws -> MadeSnapshot? {
        try made(of: channel, transaction).first
    }

    private func made(of channel: String, _ transaction: any HubTransaction) throws -> [MadeSnapshot] {
        guard let shelf = snapshotShelf.withLock({ $0 }) else { return [] }
        let erased = try transaction.lastErasures()[channel] ?? 0
        return try shelf.manifests(of: channel).compactMap { manifest in
            guard try transaction.entryHash(channel: channel, sequence: manifest.sequence) == manifest.logHash,
                let proof = try transaction.entry(of: manifest.hash)?.proof, proof.kind == .snapshot,
                proof.channel == channel, proof.sequence > erased
            else { return nil }
            return MadeSnapshot(
                manifest: manifest, proof: proof, cells: shelf.cells(of: manifest.hash, in: channel))
        }
    }

    /// Those of all channels, or of one, the newest of each first.
    public func snapshots(of channel: String? = nil) throws -> [MadeSnapshot] {
        try log.read { transaction in
            try (channel.map { [$0] } ?? transaction.heads().map(\.channel)).flatMap { try made(of: $0, transaction) }
        }
    }

    /// `GET /v1/snapshots`.
    ///
    /// - Throws: ``ProtocolError`` with code `notFound` where there is none, or the device may not read the channel.
    public func snapshot(of channel: String, for device: RegisteredDevice) throws -> WireSnapshotResponse {
        try refuseRevoked(device.key)
        let made = try log.read { transaction -> MadeSnapshot? in
            guard try transaction.rights(of: device.cell).role(of: device.cell, in: channel).reads else { return nil }
            return try newest(of: channel, transaction)
        }
        guard let made else { throw Self.noSnapshot }
        var response = WireSnapshotResponse()
        response.manifest = Data(made.manifest.encoded)
        response.proof = made.proof.wire
        response.confirmed = UInt32(clamping: made.cells.count)
        response.timeMs = now()
        return response
    }

    /// `GET /v1/snapshots/{sha256}`: a chunk, as one zstd frame.
    ///
    /// - Throws: as ``snapshot(of:for:)``.
    public func snapshotChunk(
        _ hash: Hash256, in channel: String, for device: RegisteredDevice
    ) throws -> [UInt8] {
        try refuseRevoked(device.key)
        let chunk = try log.read { transaction -> SnapshotManifest.Chunk? in
            guard try transaction.rights(of: device.cell).role(of: device.cell, in: channel).reads else { return nil }
            return try made(of: channel, transaction).flatMap(\.manifest.chunks).first { $0.hash == hash }
        }
        guard let chunk, let packed = snapshotShelf.withLock({ $0 })?.chunk(chunk, in: channel) else {
            throw Self.noSnapshot
        }
        return packed
    }

    private static let noSnapshot = ProtocolError(.notFound, "the centre has no such snapshot")

    // MARK: in a sync

    /// Notes that a cell's device made snapshots again and found them the same. A disk that is full is no reason to give it
    /// nothing.
    func note(confirmed: [Data], by device: RegisteredDevice) {
        guard let shelf = snapshotShelf.withLock({ $0 }), !confirmed.isEmpty, !device.cell.isEmpty else { return }
        let known = try? log.read { transaction in
            let rights = try transaction.rights(of: device.cell)
            return try confirmed.prefix(Limits.snapshotsConfirmed).compactMap { bytes -> EntryProof? in
                guard let hash = Hash256(bytes: bytes), let entry = try transaction.entry(of: hash)?.proof,
                    entry.kind == .snapshot, rights.role(of: device.cell, in: entry.channel).reads
                else { return nil }
                return entry
            }
        }
        for entry in known ?? [] { try? shelf.note(device.cell, of: entry.object, in: entry.channel) }
    }

    /// - Parameters:
    ///   - place: where the device stands in the channel's log.
    ///   - base: what the snapshot covers that it says it begins with; 0 where it does without, nil where it says nothing.
    func start(
        of channel: String, after place: UInt64, base: UInt64?, _ takesSnapshots: Bool,
        _ transaction: any HubTransaction
    ) throws -> ChannelStart {
        var start = ChannelStart()
        if let base {
            // Where its chunks have gone, the channel is sent whole.
            let manifests = base > place ? try made(of: channel, transaction).map(\.manifest) : []
            guard let manifest = manifests.first(where: { $0.sequence == base }) else { return start }
            (start.covered, start.waiting) = (base, Set(manifest.waiting))
        } else if place == 0, takesSnapshots {
            start.offered = try newest(of: channel, transaction)?.manifest.hash
        }
        return start
    }
}

/// How a device begins with a channel.
struct ChannelStart {
    /// The snapshot that it decides on before anything is sent.
    var offered: Hash256?
    /// Up to which entry blocks travel without their bodies, and which go whole all the same.
    var covered: UInt64 = 0
    var waiting: Set<UInt64> = []

    /// An entry as it travels, and what it takes of an answer's room.
    ///
    /// - Parameter withBlock: also where no snapshot covers it.
    func wire(_ entry: StoredEntry, withBlock: Bool) throws -> (entry: WireLogEntry, bytes: Int) {
        var wire = try entry.wire(withBlock: withBlock || entry.sequence <= covered)
        guard wire.hasBlock, entry.sequence <= covered, !waiting.contains(entry.sequence) else {
            let isHeavy = wire.hasBlock || entry.kind == .erasure || entry.kind == .finality
            return (wire, isHeavy ? entry.payload.count : 100)
        }
        wire.block.body = Data()
        wire.block.detached = Data()
        return (wire, 100 + wire.block.header.count)
    }
}

extension StoredEntry {
    /// As a maker of snapshots takes it; nil of what says nothing of a block.
    fileprivate func item() throws -> Delivery.Item? {
        let acceptance = Delivery.Acceptance(
            sequence: sequence, acceptedAtMilliseconds: acceptedAtMilliseconds,
            ruling: kind == .ruling ? try Ruling(decoding: ruling) : nil)
        switch kind {
        case .block, .ruling, .verdict:
            let block = hasBlock ? try Block(try WireCoding.decode(WireBlock.self, from: payload)) : nil
            return Delivery.Item(hash: objectHash, block: block, acceptance: acceptance)
        default: return nil
        }
    }

    fileprivate func finality() throws -> Delivery.Finality? {
        guard kind == .finality else { return nil }
        let proof = EntryProof(
            epoch: epoch, kind: kind, channel: channel, sequence: sequence, object: objectHash,
            acceptedAtMilliseconds: acceptedAtMilliseconds, previous: .zero, signature: signature)
        return try Delivery.Finality(proof: proof, bytes: payload)
    }
}
