import KenhHub
import KenhMerge
import KenhProtocol

/// What a log answered otherwise than the model.
public struct LogDivergence: Error, CustomStringConvertible {
    public let description: String
}

/// A log and the model side by side (``MemoryLog``): each transaction runs on both, and whatever the log answers otherwise
/// fails it. A hub over one is the conformance suite of its log: whatever is asked of the hub is asked of both.
public final class PairedLog: HubLog {
    private let log: any HubLog
    private let model: MemoryLog

    /// - Parameters:
    ///   - log: a new one.
    ///   - archives: the log's own.
    public init(_ log: any HubLog, archives: ArchiveShelf? = nil) throws {
        self.log = log
        model = MemoryLog(newEpoch: try log.read { try $0.epoch }, archives: archives)
    }

    public func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        try model.write { model in try log.write { try body(PairedTransaction(log: $0, model: model)) } }
    }

    public func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        try model.read { model in try log.read { try body(PairedTransaction(log: $0, model: model)) } }
    }

    public func scrub() throws {
        try log.scrub()
        try model.scrub()
    }
}

private struct PairedTransaction: HubTransaction {
    let log: any HubTransaction
    let model: any HubTransaction

    /// - Throws: what the log throws, where the model throws, too.
    private func both<T: Equatable>(
        _ name: StaticString = #function, _ body: (any HubTransaction) throws -> T
    ) throws -> T {
        let (answer, expected) = (Result { try body(log) }, Result { try body(model) })
        switch (answer, expected) {
        case (.success(let answer), .success(let expected)):
            guard answer == expected else {
                throw LogDivergence(description: "\(name): the log says \(answer), the model \(expected)")
            }
            return answer
        case (.failure(let error), .failure): throw error
        case (.failure(let error), .success): throw LogDivergence(description: "\(name): the log fails: \(error)")
        case (.success, .failure(let error)):
            throw LogDivergence(description: "\(name): the log does not fail: \(error)")
        }
    }

    private func run(_ name: StaticString = #function, _ body: (any HubTransaction) throws -> Void) throws {
        _ = try both(name) {
            try body($0)
            return true
        }
    }

    private struct Place: Equatable {
        let proof: EntryProof
        let position: UInt64
    }

    private func place(
        _ name: StaticString = #function, _ body: (any HubTransaction) throws -> (proof: EntryProof, position: UInt64)?
    ) throws -> (proof: EntryProof, position: UInt64)? {
        try both(name) { try body($0).map { Place(proof: $0.proof, position: $0.position) } }
            .map { ($0.proof, $0.position) }
    }

    func node(level: Int, index: UInt64) throws -> Hash256 { try both { try $0.node(level: level, index: index) } }

    var epoch: [UInt8] { get throws { try both { try $0.epoch } } }
    func knows(epoch: [UInt8]) throws -> Bool { try both { try $0.knows(epoch: epoch) } }
    func open(epoch: [UInt8], atMilliseconds time: Int64) throws {
        try run { try $0.open(epoch: epoch, atMilliseconds: time) }
    }

    func append(
        _ entry: NewEntry, sign: (_ epoch: [UInt8], _ entryHash: Hash256) throws -> [UInt8]
    ) throws -> EntryProof {
        // Whoever signs is asked once.
        var signatures: [[UInt8]: [UInt8]] = [:]
        return try both { transaction in
            try transaction.append(entry) { epoch, hash in
                if let made = signatures[epoch + hash.bytes] { return made }
                let made = try sign(epoch, hash)
                signatures[epoch + hash.bytes] = made
                return made
            }
        }
    }

    func acceptance(of block: Hash256) throws -> EntryProof? { try both { try $0.acceptance(of: block) } }
    func entry(of object: Hash256) throws -> (proof: EntryProof, position: UInt64)? {
        try place { try $0.entry(of: object) }
    }
    func entry(channel: String, sequence: UInt64) throws -> (proof: EntryProof, position: UInt64)? {
        try place { try $0.entry(channel: channel, sequence: sequence) }
    }
    func contains(_ object: Hash256) throws -> Bool { try both { try $0.contains(object) } }
    func block(_ hash: Hash256) throws -> LoggedBlock? { try both { try $0.block(hash) } }
    func block(pinnedBy pin: ReplicaPin, channel: String) throws -> LoggedBlock? {
        try both { try $0.block(pinnedBy: pin, channel: channel) }
    }
    func heads() throws -> [LogHead] { try both { try $0.heads() } }
    func heads(among channels: [String]) throws -> [LogHead] { try both { try $0.heads(among: channels) } }
    func entryHash(channel: String, sequence: UInt64) throws -> Hash256? {
        try both { try $0.entryHash(channel: channel, sequence: sequence) }
    }
    func entries(channel: String, after sequence: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        try both { try $0.entries(channel: channel, after: sequence, limitBytes: limitBytes) }
    }
    func lastSequence(of channel: String, acceptedBefore time: Int64) throws -> UInt64 {
        try both { try $0.lastSequence(of: channel, acceptedBefore: time) }
    }
    func payloadBytes(of channel: String, after sequence: UInt64, upTo last: UInt64) throws -> Int {
        try both { try $0.payloadBytes(of: channel, after: sequence, upTo: last) }
    }
    var size: UInt64 { get throws { try both { try $0.size } } }
    func position(channel: String, sequence: UInt64) throws -> UInt64? {
        try both { try $0.position(channel: channel, sequence: sequence) }
    }
    func entries(afterPosition position: UInt64, limitBytes: Int) throws -> [StoredEntry] {
        try both { try $0.entries(afterPosition: position, limitBytes: limitBytes) }
    }
    func structureProblems() throws -> [String] { try both { try $0.structureProblems() } }

    func markErased(_ names: [Erasure.Name]) throws { try run { try $0.markErased(names) } }
    func erased(of block: Hash256) throws -> Set<Erasure.Name> { try both { try $0.erased(of: block) } }
    func payload(of block: Hash256) throws -> [UInt8]? { try both { try $0.payload(of: block) } }
    func replace(payload: [UInt8], of block: Hash256) throws { try run { try $0.replace(payload: payload, of: block) } }
    func erasures() throws -> [StoredEntry] { try both { try $0.erasures() } }
    func lastErasures() throws -> [String: UInt64] { try both { try $0.lastErasures() } }
    var isUnclean: Bool { get throws { try both { try $0.isUnclean } } }
    func confirmations(of device: PublicKey) throws -> [String: Confirmation] {
        try both { try $0.confirmations(of: device) }
    }
    func confirm(_ channel: String, _ confirmation: Confirmation?, by device: PublicKey) throws {
        try run { try $0.confirm(channel, confirmation, by: device) }
    }

    func awaited() throws -> [String: AwaitedDeletions] { try both { try $0.awaited() } }
    func wait(for awaited: AwaitedDeletions?, in channel: String) throws {
        try run { try $0.wait(for: awaited, in: channel) }
    }
    func acknowledgements(of device: PublicKey) throws -> [String: UInt64] {
        try both { try $0.acknowledgements(of: device) }
    }
    func acknowledge(_ channel: String, _ sequence: UInt64, by device: PublicKey) throws {
        try run { try $0.acknowledge(channel, sequence, by: device) }
    }
    func finalities() throws -> [StoredEntry] { try both { try $0.finalities() } }

    func archives() throws -> [Archive] { try both { try $0.archives() } }
    func move(_ file: ArchiveFile, isRestored: Bool) throws -> Archive {
        try both { try $0.move(file, isRestored: isRestored) }
    }

    func addCell(code: String, name: String) throws { try run { try $0.addCell(code: code, name: name) } }
    func cellName(_ code: String) throws -> String? { try both { try $0.cellName(code) } }
    func addDevice(_ device: RegisteredDevice) throws { try run { try $0.addDevice(device) } }
    func device(_ key: [UInt8]) throws -> RegisteredDevice? { try both { try $0.device(key) } }
    func devices() throws -> [RegisteredDevice] { try both { try $0.devices() } }
    func revoke(_ key: PublicKey, atMilliseconds time: Int64) throws {
        try run { try $0.revoke(key, atMilliseconds: time) }
    }
    func addReplica(_ replica: ReplicaID, device: PublicKey) throws {
        try run { try $0.addReplica(replica, device: device) }
    }
    func addServingCertificate(_ signed: WireSignedStatement, notBeforeMilliseconds time: Int64) throws {
        try run { try $0.addServingCertificate(signed, notBeforeMilliseconds: time) }
    }
    func servingCertificates() throws -> [WireSignedStatement] { try both { try $0.servingCertificates() } }
    func deviceKey(of replica: ReplicaID) throws -> PublicKey? { try both { try $0.deviceKey(of: replica) } }
    func addCode(_ id: [UInt8], _ code: IssuedCode) throws { try run { try $0.addCode(id, code) } }
    func code(_ id: [UInt8]) throws -> IssuedCode? { try both { try $0.code(id) } }
    func markUsed(_ id: [UInt8], by key: [UInt8]) throws { try run { try $0.markUsed(id, by: key) } }
    func addRole(_ role: Role) throws { try run { try $0.addRole(role) } }
    func roles() throws -> [Role] { try both { try $0.roles() } }
    func addGrant(_ grant: Grant) throws { try run { try $0.addGrant(grant) } }
    func grants(of cell: String?) throws -> [Grant] { try both { try $0.grants(of: cell) } }

    func quarantine(_ block: QuarantinedBlock) throws { try run { try $0.quarantine(block) } }
    func quarantined(of writer: PublicKey?) throws -> [QuarantinedBlock] { try both { try $0.quarantined(of: writer) } }
    func quarantinedBytes(of writer: PublicKey) throws -> Int { try both { try $0.quarantinedBytes(of: writer) } }
    func isQuarantined(_ block: Hash256) throws -> Bool { try both { try $0.isQuarantined(block) } }
    func leaveQuarantine(_ block: Hash256) throws { try run { try $0.leaveQuarantine(block) } }
}
