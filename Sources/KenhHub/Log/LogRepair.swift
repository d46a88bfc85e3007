import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Makes a new log of what is good in a damaged one: of every channel the entries up to the first that is damaged, as
/// they were, and what is good after it as something that is handed back. What is lost comes back from the cells, which
/// the new epoch makes hand it back.
public struct LogRepair {
    public struct Report: Sendable, Equatable {
        public var entries = 0
        /// Entries that stand elsewhere in the log now.
        public var movedEntries = 0
        public var damagedEntries = 0
    }

    public private(set) var report = Report()
    private let damaged: DamagedFile
    /// Where the bodies of archived blocks are found again, by their hashes; what the damaged file says of that is not used.
    private let archived: [Hash256: ArchivedBody]

    private struct ArchivedBody {
        let archive: Hash256
        let record: ArchiveFile.Record
    }
    private let log: SQLiteLog
    private let archives: ArchiveShelf?
    private let hub: Hub

    private static let pageSize = 500

    /// - Parameters:
    ///   - path: the damaged file, which is only read.
    ///   - newPath: where the new log is made; nothing may be there.
    ///   - device: the centre's own key.
    ///   - archives: whose blocks the new log has whole.
    public init(
        damaged path: String, newPath: String, identity: HubIdentity, device: PublicKey, epoch: [UInt8],
        archives: ArchiveShelf? = nil, clock: @escaping @Sendable () -> Int64 = Store.wallClock
    ) throws {
        self.archives = archives
        archived = Self.bodies(archives)
        damaged = try DamagedFile(path: path)
        log = try SQLiteLog(path: newPath)
        let epochs = damaged.lines("SELECT number, epoch, opened_at FROM log_epoch") {
            (number: $0.int(0), epoch: $0.array(1), at: $0.int(2))
        }
        hub = Hub(log: log, identity: identity, clock: clock)
        try log.write { transaction in
            for known in epochs { try transaction.open(epoch: known.epoch, atMilliseconds: known.at) }
        }
        let loose = try keepChains(Dictionary(epochs.map { ($0.number, $0.epoch) }) { $1 })
        try log.write { [hub] in try hub.openEpoch(epoch, after: $0.epoch, $0) }
        try keepCodes()
        try handBack(loose, device)
    }

    private static func bodies(_ archives: ArchiveShelf?) -> [Hash256: ArchivedBody] {
        guard let archives else { return [:] }
        var found: [Hash256: ArchivedBody] = [:]
        for hash in archives.hashes() {
            guard let bytes = archives.contents(of: hash), let file = try? ArchiveFile(decoding: bytes) else {
                continue
            }
            for record in file.records { found[record.hash] = ArchivedBody(archive: hash, record: record) }
        }
        return found
    }

    /// The payload with the body that lies in an archive.
    private func whole(_ entry: StoredEntry) -> StoredEntry {
        guard entry.hasBlock, let known = archived[entry.objectHash], let archives,
            var wire = try? WireCoding.decode(WireBlock.self, from: entry.payload), wire.body.isEmpty,
            let record = try? archives.record(
                of: known.archive, start: known.record.start, size: known.record.size),
            let (_, block) = try? ArchiveFile.block(in: record)
        else { return entry }
        wire.body = Data(block.body)
        guard let payload = try? WireCoding.encode(wire) else { return entry }
        return entry.replacing(payload: payload)
    }

    // MARK: chains

    private typealias Found = (entry: StoredEntry, entryHash: Hash256)

    /// In the log's own order, so that the tree is the old one up to the first entry that is lost.
    /// - Returns: what is good behind something that is not.
    private mutating func keepChains(_ epochs: [Int64: [UInt8]]) throws -> [WireHandedBack] {
        var chains: [String: LogChain] = [:]
        var broken: [String: [Found]] = [:]
        var last: [String: Hash256] = [:]
        let key = try log.read { try hub.servingKeys($0) }
        for number in damaged.numbers(of: "log_entry", "position") {
            guard var found = damaged.line(Self.entry, number, { try Self.entry($0, epochs) }) else {
                report.damagedEntries += 1
                continue
            }
            found.entry = whole(found.entry)
            let channel = found.entry.channel
            var chain = chains[channel] ?? LogChain(channel: channel)
            guard broken[channel] == nil, try log.read({ try chain.take(found.entry, key, $0) }) == nil else {
                broken[channel, default: []].append(found)
                continue
            }
            try log.restore(found.entry, entryHash: chain.hash, in: hub)
            chains[channel] = chain
            last[channel] = found.entryHash
            report.entries += 1
        }
        // Without the registry nobody's blocks are known.
        let others = broken.keys.filter { $0 != ChannelName.registry }.sorted()
        var loose: [WireHandedBack] = []
        for name in [ChannelName.registry] + others {
            loose += try rest(broken[name] ?? [], after: last[name] ?? .zero)
        }
        return loose
    }

    private mutating func rest(_ entries: [Found], after previous: Hash256) throws -> [WireHandedBack] {
        let key = try log.read { try hub.servingKeys($0) }
        var loose: [WireHandedBack] = []
        var previous = previous
        for (entry, hash) in entries {
            defer { previous = hash }
            guard entry.hasBlock || [.registry, .erasure, .finality].contains(entry.kind),
                try log.read({ try LogChain.isWhole(entry, key, $0) })
            else {
                report.damagedEntries += 1
                continue
            }
            loose.append(try Self.handedBack(entry, after: previous))
        }
        return loose
    }

    private static let entry = """
        SELECT kind, channel, sequence, position, object_hash, accepted_at, epoch, signature, sender, payload, entry_hash,
        ruling FROM log_entry WHERE position = ?
        """

    private static func entry(
        _ read: Statement, _ epochs: [Int64: [UInt8]]
    ) throws -> (entry: StoredEntry, entryHash: Hash256)? {
        guard let kind = WireEntryKind(rawValue: Int(read.int(0))), let object = Hash256(bytes: read.bytes(4)),
            let epoch = epochs[read.int(6)], let hash = Hash256(bytes: read.bytes(10))
        else { return nil }
        let entry = StoredEntry(
            kind: kind, channel: read.string(1), sequence: UInt64(clamping: read.int(2)),
            position: UInt64(clamping: read.int(3)), objectHash: object, acceptedAtMilliseconds: read.int(5),
            epoch: epoch, signature: read.array(7), sender: read.array(8), payload: read.array(9),
            ruling: read.array(11))
        return (entry, hash)
    }

    private static func handedBack(_ entry: StoredEntry, after previous: Hash256) throws -> WireHandedBack {
        var item = WireHandedBack()
        item.proof =
            EntryProof(
                epoch: entry.epoch, kind: entry.kind, channel: entry.channel, sequence: entry.sequence,
                object: entry.objectHash, acceptedAtMilliseconds: entry.acceptedAtMilliseconds, previous: previous,
                signature: entry.signature, ruling: entry.ruling
            ).wire
        if entry.kind == .registry {
            item.registry = try WireCoding.decode(WireSignedStatement.self, from: entry.payload)
        } else if entry.kind == .erasure {
            item.erasure = Data(entry.payload)
        } else if entry.kind == .finality {
            item.finality = Data(entry.payload)
        } else {
            item.block = try WireCoding.decode(WireBlock.self, from: entry.payload)
        }
        return item
    }

    // MARK: the rest

    private func keepCodes() throws {
        let codes = damaged.lines("SELECT id, secret, cell, expires_at, used_by FROM registry_code") { read in
            (
                id: read.array(0),
                code: IssuedCode(
                    secret: read.array(1), cell: read.string(2), expiresAtMilliseconds: read.int(3),
                    usedBy: read.isNull(4) ? nil : read.array(4))
            )
        }
        try log.write { transaction in
            for (id, code) in codes where try transaction.cellName(code.cell) != nil {
                try transaction.addCode(id, code)
            }
        }
    }

    private mutating func handBack(_ loose: [WireHandedBack], _ device: PublicKey) throws {
        for start in stride(from: 0, to: loose.count, by: Self.pageSize) {
            let page = Array(loose[start..<min(start + Self.pageSize, loose.count)])
            let taken = try hub.takeBack(page, from: device)
            report.movedEntries += taken
            report.damagedEntries += page.count - taken
        }
    }
}

extension SQLiteLog {
    /// Puts an entry of a damaged log in as it was, and what the registry says with it.
    fileprivate func restore(_ entry: StoredEntry, entryHash: Hash256, in hub: Hub) throws {
        try write { transaction in
            guard let transaction = transaction as? SQLiteLogTransaction else { return }
            var header: BlockHeader?
            if entry.hasBlock {
                header = try Block(try WireCoding.decode(WireBlock.self, from: entry.payload)).header
            }
            try transaction.put(entry, header: header, entryHash: entryHash)
            if entry.kind == .erasure {
                try hub.apply(try Erasure(decoding: entry.payload), in: entry.channel, transaction)
            }
            guard entry.kind == .registry else { return }
            let signed = try WireCoding.decode(WireSignedStatement.self, from: entry.payload)
            try hub.enter(
                WireCoding.decode(WireRegistryStatement.self, from: Array(signed.statement)),
                acceptedAt: entry.acceptedAtMilliseconds, transaction)
        }
    }
}
