import Foundation
import KenhMerge
import KenhProtocol

/// What a check of the centre's log found.
public struct LogReport: Sendable, Equatable {
    public internal(set) var entries = 0
    /// Values that were erased, each named by an erasure.
    public internal(set) var erasedValues = 0
    /// One sentence each, for people.
    public internal(set) var problems: [String] = []

    public var isGood: Bool { problems.isEmpty }
}

/// Reads the whole log as if it had come from somebody else: sequences without gaps, every entry's hash from the one
/// before, every signature, every object by its hash, the heads, and the registry's tables against its statements.
public struct LogVerifier {
    private let identity: HubIdentity
    private static let batchBytes = 8 << 20
    private static let problemLimit = 100

    public init(identity: HubIdentity) { self.identity = identity }

    public func verify(_ log: any HubLog) throws -> LogReport {
        try log.read { transaction in
            var report = LogReport()
            for problem in try transaction.structureProblems() { add("the log's file is damaged: \(problem)", &report) }
            for head in try transaction.heads() { try verify(head, transaction, &report) }
            try verifyTree(transaction, &report)
            return report
        }
    }

    /// The tree that is kept against one made of the entries' hashes.
    private func verifyTree(_ transaction: any HubTransaction, _ report: inout LogReport) throws {
        var frontier = MerkleFrontier()
        do {
            for index in 0..<(try transaction.size) {
                let made = frontier.append(try transaction.node(level: 0, index: index))
                for node in made where try transaction.node(level: node.level, index: node.index) != node.hash {
                    add("the tree over the log is wrong at entry \(index + 1)", &report)
                }
            }
        } catch { add("the tree over the log has a gap", &report) }
    }

    private func add(_ problem: String, _ report: inout LogReport) {
        if report.problems.count < Self.problemLimit { report.problems.append(problem) }
    }

    private func verify(_ head: LogHead, _ transaction: any HubTransaction, _ report: inout LogReport) throws {
        var chain = LogChain(channel: head.channel)
        var account = ErasureAccount()
        let serving = try identity.servingKeys(transaction)
        while true {
            let entries: [StoredEntry]
            do {
                entries = try transaction.entries(
                    channel: head.channel, after: chain.sequence, limitBytes: Self.batchBytes)
            } catch {
                add("the log of \(head.channel) cannot be read after entry \(chain.sequence)", &report)
                break
            }
            guard !entries.isEmpty else { break }
            for entry in entries {
                report.entries += 1
                if let problem = try chain.take(entry, serving, transaction) {
                    add("entry \(entry.sequence) of \(head.channel) \(problem)", &report)
                }
                try count(entry, in: &account, transaction, &report)
                if try !isListed(entry, transaction) {
                    add("entry \(entry.sequence) of \(head.channel) is listed as another block", &report)
                }
                if let problem = try registryProblem(entry, transaction) {
                    add("the registry \(problem)", &report)
                }
            }
        }
        if chain.sequence != head.sequence || chain.hash != head.entryHash {
            add("the log of \(head.channel) does not end where it says", &report)
        }
        report.erasedValues += account.accountedFor
        for problem in account.problems { add(problem, &report) }
    }

    /// An erasure may stand before its blocks, where those came back after a restore.
    private func count(
        _ entry: StoredEntry, in account: inout ErasureAccount, _ transaction: any HubTransaction,
        _ report: inout LogReport
    ) throws {
        if entry.hasBlock, let wire = try? WireCoding.decode(WireBlock.self, from: entry.payload),
            !wire.detached.isEmpty, let block = try? Block(wire), let body = try? BlockCodec().open(block)
        {
            account.add(body, of: entry.objectHash)
        } else if entry.kind == .erasure, let erasure = try? Erasure(decoding: entry.payload) {
            _ = account.add(erasure) { _ in true }
            let isListed = try erasure.blocks.allSatisfy { part in
                let listed = try transaction.erased(of: part.hash)
                return part.changes.allSatisfy { change in
                    change.columns.allSatisfy {
                        listed.contains(Erasure.Name(block: part.hash, place: change.place, column: $0))
                    }
                }
            }
            if !isListed {
                add("entry \(entry.sequence) of \(entry.channel) is not in the list of what was erased", &report)
            }
        }
    }

    /// Later blocks are judged by what is listed of earlier ones.
    private func isListed(_ entry: StoredEntry, _ transaction: any HubTransaction) throws -> Bool {
        guard entry.hasBlock, let wire = try? WireCoding.decode(WireBlock.self, from: entry.payload),
            let header = try? BlockHeader(decoding: Array(wire.header))
        else { return true }
        let known = try transaction.block(entry.objectHash)
        return known?.replica == header.replica && known?.lastCounter == header.lastCounter
    }

    private func registryProblem(_ entry: StoredEntry, _ transaction: any HubTransaction) throws -> String? {
        guard entry.kind == .registry,
            let signed = try? WireCoding.decode(WireSignedStatement.self, from: entry.payload),
            let statement = try? WireCoding.decode(WireRegistryStatement.self, from: Array(signed.statement))
        else { return nil }
        switch statement.what {
        case .cellAdded(let cell):
            return try transaction.cellName(cell.code) == nil ? "lacks the cell \(cell.code)" : nil
        case .deviceAdded(let device):
            let known = try transaction.device(Array(device.key))
            return known?.cell == device.cell ? nil : "lacks a device of \(device.cell), or has it elsewhere"
        case .replicaAdded(let added):
            let known = try ReplicaID(bytes: added.replica).flatMap { try transaction.deviceKey(of: $0) }
            let isSame = known?.bytes.elementsEqual(added.deviceKey) ?? false
            return isSame ? nil : "lacks a replica, or gives it to another device"
        case .deviceRevoked(let revoked):
            let known = try transaction.device(Array(revoked.key))
            return known?.revokedAtMilliseconds == nil ? "has a revoked device that may go on" : nil
        case .roleDefined(let role):
            let known = try transaction.roles().first { $0.name == role.name }
            return known?.statedAtMilliseconds ?? .min < entry.acceptedAtMilliseconds ? "lacks a role" : nil
        case .granted(let wire):
            let known = try transaction.grants(of: wire.cell).first {
                $0.cell == wire.cell && $0.channel == wire.channel
            }
            return known?.statedAtMilliseconds ?? .min < entry.acceptedAtMilliseconds
                || known?.statedAtMilliseconds == entry.acceptedAtMilliseconds && known?.role != wire.role
                ? "gives a cell another role than was granted" : nil
        case .servingKeyAdded(let added):
            return try transaction.servingCertificates().contains(added.certificate)
                ? nil : "lacks a key of the centre's"
        case .epochOpened, nil: return nil
        }
    }
}

/// The chain of one channel's entries.
struct LogChain {
    let channel: String
    private(set) var sequence: UInt64 = 0
    private(set) var hash = Hash256.zero

    init(channel: String) { self.channel = channel }

    /// Goes on to an entry.
    /// - Returns: what is wrong with it.
    mutating func take(
        _ entry: StoredEntry, _ serving: ServingKeys, _ transaction: any HubTransaction
    ) throws -> String? {
        let proof = EntryProof(
            epoch: entry.epoch, kind: entry.kind, channel: channel, sequence: entry.sequence,
            object: entry.objectHash, acceptedAtMilliseconds: entry.acceptedAtMilliseconds, previous: hash,
            signature: entry.signature, ruling: entry.ruling)
        let isNext = entry.sequence == sequence + 1
        sequence = entry.sequence
        hash = proof.entryHash
        guard isNext else { return "does not follow the one before it" }
        guard proof.isGood(by: serving) else { return "is not what the centre signed" }
        return try Self.isWhole(entry, serving, transaction) ? nil : "does not hold what it names"
    }

    /// Whether an entry's bytes are those of the object that it names, signed by whom they should be.
    ///
    /// - Parameter transaction: of a log whose registry knows the writers.
    static func isWhole(
        _ entry: StoredEntry, _ serving: ServingKeys, _ transaction: any HubTransaction
    ) throws -> Bool {
        guard entry.ruling.isEmpty == (entry.kind != .ruling),
            entry.ruling.isEmpty || (try? Ruling(decoding: entry.ruling)) != nil
        else { return false }
        switch entry.kind {
        case .block, .ruling:
            // More may be struck of a block that the log has.
            if entry.kind == .ruling, entry.payload.isEmpty { return try transaction.block(entry.objectHash) != nil }
            guard let wire = try? WireCoding.decode(WireBlock.self, from: entry.payload),
                let block = try? Block(wire), block.hash == entry.objectHash, block.header.channel == entry.channel,
                let key = try transaction.deviceKey(of: block.header.replica),
                (try? block.verify(deviceKey: key)) != nil
            else { return false }
            // Values of erasable columns are vouched for by the body alone.
            return (try? BlockCodec().open(block)) != nil
        case .registry:
            guard let signed = try? WireCoding.decode(WireSignedStatement.self, from: entry.payload),
                let _: WireRegistryStatement = try? signed.verified(by: serving, domain: .registryStatement)
            else { return false }
            return Hashing.sha256(domain: .registry, Array(signed.statement)) == entry.objectHash
        case .verdict, .snapshot, .archive: return entry.payload.isEmpty
        case .finality:
            return ChannelName.isValid(entry.channel) && Finality.hash(of: entry.payload) == entry.objectHash
                && (try? Finality(decoding: entry.payload)) != nil
        case .erasure:
            return ChannelName.isValid(entry.channel) && Erasure.hash(of: entry.payload) == entry.objectHash
                && (try? Erasure(decoding: entry.payload)) != nil
        default: return false
        }
    }
}
