import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// A centre's log and registry in memory, by their definitions and with no index: what every database has to answer
/// (``PairedLog``), and a centre for tests that need no files.
public final class MemoryLog: HubLog {
    private let state: Mutex<State>
    private let archives: ArchiveShelf?

    /// - Parameters:
    ///   - newEpoch: 16 random bytes.
    ///   - archives: where the bodies of old blocks are, if any are.
    public init(newEpoch: [UInt8], archives: ArchiveShelf? = nil) {
        state = Mutex(State(epochs: [newEpoch]))
        self.archives = archives
    }

    public func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        // Whoever writes is alone, and reads while it does only in the same transaction.
        try state.withLock { state in
            let transaction = MemoryTransaction(state, archives)
            let result = Result { try body(transaction) }
            if case .success = result { state = transaction.state }
            return Unchecked(result)
        }.value.get()
    }

    public func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        try body(MemoryTransaction(state.withLock { $0 }, archives))
    }

    public func scrub() throws { state.withLock { $0.isUnclean = false } }

    /// A result leaves the lock as it came, whatever it is.
    private struct Unchecked<T>: @unchecked Sendable {
        let value: Result<T, any Error>
        init(_ value: Result<T, any Error>) { self.value = value }
    }

    struct Entry: Sendable {
        var stored: StoredEntry
        let hash: Hash256
        let block: LoggedBlock?
        /// Where the body lies; the payload is without it then.
        var archived: (file: Hash256, start: Int, size: Int)?
    }

    struct State: Sendable {
        var epochs: [[UInt8]]
        /// Position 1 is the first.
        var entries: [Entry] = []
        var nodes: [[Hash256]] = []

        var erased: Set<Erasure.Name> = []
        var isUnclean = false
        var confirmed: [PublicKey: [String: Confirmation]] = [:]
        var awaited: [String: AwaitedDeletions] = [:]
        var acknowledged: [PublicKey: [String: UInt64]] = [:]
        var archives: [Archive] = []

        var cells: [String: String] = [:]
        var devices: [RegisteredDevice] = []
        var replicas: [ReplicaID: PublicKey] = [:]
        var certificates: [(signed: WireSignedStatement, notBefore: Int64)] = []
        var codes: [[UInt8]: IssuedCode] = [:]
        var roles: [Role] = []
        var grants: [Grant] = []
        var quarantine: [QuarantinedBlock] = []
    }
}

/// One transaction: its own copy, which takes the place of the log's where it is committed.
final class MemoryTransaction: HubTransaction {
    var state: MemoryLog.State
    private let shelf: ArchiveShelf?

    init(_ state: MemoryLog.State, _ shelf: ArchiveShelf?) { (self.state, self.shelf) = (state, shelf) }

    func refuse(_ message: String) -> StoreError { StoreError(.refusedValue, message) }

    private func isBefore(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    // MARK: lives

    var epoch: [UInt8] { state.epochs.last ?? [] }

    func knows(epoch: [UInt8]) -> Bool { state.epochs.contains(epoch) }

    func open(epoch: [UInt8], atMilliseconds: Int64) throws {
        guard !knows(epoch: epoch) else { throw refuse("the log had this life") }
        state.epochs.append(epoch)
    }

    // MARK: entries

    private func newest(of channel: String) -> MemoryLog.Entry? {
        state.entries.last { $0.stored.channel == channel }
    }

    private func first(_ isWanted: (MemoryLog.Entry) -> Bool) throws -> (proof: EntryProof, position: UInt64)? {
        try state.entries.first(where: isWanted).map { (try proof($0), $0.stored.position) }
    }

    private func proof(_ entry: MemoryLog.Entry) throws -> EntryProof {
        let stored = entry.stored
        let previous =
            stored.sequence == 1 ? Hash256.zero : entryHash(channel: stored.channel, sequence: stored.sequence - 1)
        guard let previous else { throw refuse("the log lacks an entry") }
        return EntryProof(
            epoch: stored.epoch, kind: stored.kind, channel: stored.channel, sequence: stored.sequence,
            object: stored.objectHash, acceptedAtMilliseconds: stored.acceptedAtMilliseconds, previous: previous,
            signature: stored.signature, ruling: stored.ruling)
    }

    func append(
        _ entry: NewEntry, sign: (_ epoch: [UInt8], _ entryHash: Hash256) throws -> [UInt8]
    ) throws -> EntryProof {
        let last = newest(of: entry.channel)
        let sequence = (last?.stored.sequence ?? 0) + 1
        let hash = EntryHash.next(
            after: last?.hash ?? .zero, kind: entry.kind, channel: entry.channel, sequence: sequence,
            object: entry.object, acceptedAtMilliseconds: entry.acceptedAtMilliseconds, ruling: entry.ruling)
        let stored = StoredEntry(
            kind: entry.kind, channel: entry.channel, sequence: sequence, position: UInt64(state.entries.count) + 1,
            objectHash: entry.object, acceptedAtMilliseconds: entry.acceptedAtMilliseconds, epoch: epoch,
            signature: try sign(epoch, hash), sender: entry.sender, payload: entry.payload, ruling: entry.ruling)
        let isThere = state.entries.contains { other in
            other.stored.objectHash == stored.objectHash && other.stored.kind == stored.kind
                && other.stored.acceptedAtMilliseconds == stored.acceptedAtMilliseconds
                && other.stored.ruling == stored.ruling
        }
        guard !isThere else { throw refuse("the log has this entry") }
        let block = entry.header.map { header in
            LoggedBlock(
                hash: entry.object, replica: header.replica, channel: entry.channel, lastCounter: header.lastCounter,
                isGroupEnd: header.isGroupEnd)
        }
        for node in try MerkleTree(self).adding(MerkleHash.leaf(hash.bytes), at: stored.position - 1) {
            if state.nodes.count == node.level { state.nodes.append([]) }
            state.nodes[node.level].append(node.hash)
        }
        let made = MemoryLog.Entry(stored: stored, hash: hash, block: block)
        state.entries.append(made)
        return try proof(made)
    }

    func node(level: Int, index: UInt64) throws -> Hash256 {
        guard state.nodes.indices.contains(level), index < state.nodes[level].count else {
            throw refuse("the tree has no such node")
        }
        return state.nodes[level][Int(index)]
    }

    func acceptance(of block: Hash256) throws -> EntryProof? {
        let accepting: Set<WireEntryKind> = [.block, .verdict, .ruling]
        return try state.entries.last { $0.stored.objectHash == block && accepting.contains($0.stored.kind) }.map(proof)
    }

    func entry(of object: Hash256) throws -> (proof: EntryProof, position: UInt64)? {
        try first { $0.stored.objectHash == object }
    }

    func entry(channel: String, sequence: UInt64) throws -> (proof: EntryProof, position: UInt64)? {
        try first { $0.stored.channel == channel && $0.stored.sequence == sequence }
    }

    func contains(_ object: Hash256) -> Bool { state.entries.contains { $0.stored.objectHash == object } }

    func block(_ hash: Hash256) -> LoggedBlock? { state.entries.lazy.compactMap(\.block).first { $0.hash == hash } }

    func block(pinnedBy pin: ReplicaPin, channel: String) -> LoggedBlock? {
        state.entries.lazy.compactMap(\.block).first { block in
            block.hash.bytes.starts(with: pin.hash.bytes) && block.channel == channel && block.replica == pin.replica
                && block.lastCounter == pin.counter
        }
    }

    func heads() -> [LogHead] { heads(among: ["*"]) }

    func heads(among channels: [String]) -> [LogHead] {
        let names = Set(state.entries.map(\.stored.channel)).filter { name in
            channels.contains { $0.hasSuffix("*") ? name.utf8.starts(with: $0.utf8.dropLast()) : $0 == name }
        }
        return names.sorted(by: isBefore).compactMap { name in
            newest(of: name).map { LogHead(channel: name, sequence: $0.stored.sequence, entryHash: $0.hash) }
        }
    }

    func entryHash(channel: String, sequence: UInt64) -> Hash256? {
        state.entries.first { $0.stored.channel == channel && $0.stored.sequence == sequence }?.hash
    }

    func entries(channel: String, after sequence: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        try page(limitBytes) { $0.channel == channel && $0.sequence > sequence }
    }

    func entries(afterPosition position: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        try page(limitBytes) { $0.position > position }
    }

    private func page(_ limitBytes: Int, _ isWanted: (StoredEntry) -> Bool) throws -> [StoredEntry] {
        var found: [StoredEntry] = []
        var bytes = 0
        for entry in state.entries where isWanted(entry.stored) {
            bytes += entry.keptBytes
            if !found.isEmpty, bytes > limitBytes { break }
            found.append(entry.stored.with(payload: try whole(entry)))
        }
        return found
    }

    func lastSequence(of channel: String, acceptedBefore milliseconds: Int64) -> UInt64 {
        let own = state.entries.map(\.stored).filter { $0.channel == channel }
        return own.first { $0.acceptedAtMilliseconds >= milliseconds }.map { $0.sequence - 1 } ?? UInt64(own.count)
    }

    func payloadBytes(of channel: String, after sequence: UInt64, upTo last: UInt64) -> Int {
        state.entries.filter {
            $0.stored.channel == channel && $0.stored.sequence > sequence && $0.stored.sequence <= last
        }.reduce(0) { $0 + $1.keptBytes }
    }

    var size: UInt64 { UInt64(state.entries.count) }

    func position(channel: String, sequence: UInt64) -> UInt64? {
        state.entries.first { $0.stored.channel == channel && $0.stored.sequence == sequence }?.stored.position
    }

    func structureProblems() -> [String] { [] }

    private func all(_ kind: WireEntryKind) -> [StoredEntry] { state.entries.map(\.stored).filter { $0.kind == kind } }

    // MARK: erasures

    func markErased(_ names: [Erasure.Name]) {
        state.erased.formUnion(names)
        state.isUnclean = true
    }

    func erased(of block: Hash256) -> Set<Erasure.Name> { state.erased.filter { $0.block == block } }

    private func place(of block: Hash256) -> Int? { state.entries.firstIndex { $0.block?.hash == block } }

    func payload(of block: Hash256) throws -> [UInt8]? { try place(of: block).map { try whole(state.entries[$0]) } }

    func replace(payload: [UInt8], of block: Hash256) throws {
        guard let place = place(of: block) else { return }
        try put(payload, at: place, withBody: state.entries[place].archived == nil)
    }

    private func put(_ payload: [UInt8], at place: Int, withBody: Bool) throws {
        var payload = payload
        if !withBody {
            var wire = try WireCoding.decode(WireBlock.self, from: payload)
            wire.body = Data()
            payload = try WireCoding.encode(wire)
        }
        state.entries[place].stored = state.entries[place].stored.with(payload: payload)
    }

    func erasures() -> [StoredEntry] { all(.erasure) }

    func lastErasures() -> [String: UInt64] {
        all(.erasure).reduce(into: [:]) { $0[$1.channel] = $1.sequence }
    }

    var isUnclean: Bool { state.isUnclean }

    func confirmations(of device: PublicKey) -> [String: Confirmation] { state.confirmed[device] ?? [:] }

    func confirm(_ channel: String, _ confirmation: Confirmation?, by device: PublicKey) {
        state.confirmed[device, default: [:]][channel] = confirmation
    }

    // MARK: final deletions

    func awaited() -> [String: AwaitedDeletions] { state.awaited }

    func wait(for awaited: AwaitedDeletions?, in channel: String) { state.awaited[channel] = awaited }

    func acknowledgements(of device: PublicKey) -> [String: UInt64] { state.acknowledged[device] ?? [:] }

    func acknowledge(_ channel: String, _ sequence: UInt64, by device: PublicKey) {
        state.acknowledged[device, default: [:]][channel] = sequence
    }

    func finalities() -> [StoredEntry] { all(.finality) }

    // MARK: archives

    func archives() -> [Archive] {
        state.archives.sorted { a, b in a.channel == b.channel ? a.first < b.first : isBefore(a.channel, b.channel) }
    }

    func move(_ file: ArchiveFile, isRestored: Bool) throws -> Archive {
        let archive = Archive(
            hash: file.hash, channel: file.channel, first: file.records.first?.sequence ?? 0,
            last: file.records.last?.sequence ?? 0, blocks: file.records.count, size: file.bytes.count,
            isRestored: isRestored)
        state.archives.removeAll { $0.hash == archive.hash }
        state.archives.append(archive)
        for record in file.records {
            guard
                let place = state.entries.firstIndex(where: {
                    $0.stored.channel == file.channel && $0.stored.sequence == record.sequence
                })
            else { throw refuse("the log lacks an entry") }
            var wire = try WireCoding.decode(WireBlock.self, from: state.entries[place].stored.payload)
            let bytes = Array(file.bytes[record.start..<record.start + record.size])
            wire.body = Data(try ArchiveFile.block(in: bytes).block.body)
            try put(try WireCoding.encode(wire), at: place, withBody: isRestored)
            state.entries[place].archived = isRestored ? nil : (archive.hash, record.start, record.size)
        }
        return archive
    }

    /// An entry's payload with the body from its archive, where it lies in one.
    private func whole(_ entry: MemoryLog.Entry) throws -> [UInt8] {
        guard let (file, start, size) = entry.archived else { return entry.stored.payload }
        guard let shelf else { throw StoreError(.corrupt, "it was not said where archive files are") }
        var wire = try WireCoding.decode(WireBlock.self, from: entry.stored.payload)
        wire.body = Data(try ArchiveFile.block(in: try shelf.record(of: file, start: start, size: size)).block.body)
        return try WireCoding.encode(wire)
    }
}

extension MemoryLog.Entry {
    /// As databases count what they read.
    var keptBytes: Int { stored.payload.count + (archived?.size ?? 0) }
}

extension StoredEntry {
    fileprivate func with(payload: [UInt8]) -> StoredEntry {
        StoredEntry(
            kind: kind, channel: channel, sequence: sequence, position: position, objectHash: objectHash,
            acceptedAtMilliseconds: acceptedAtMilliseconds, epoch: epoch, signature: signature, sender: sender,
            payload: payload, ruling: ruling)
    }
}
