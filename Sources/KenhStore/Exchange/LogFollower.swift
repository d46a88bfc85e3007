import Foundation
import KenhMerge
import KenhProtocol

/// Follows the centre's log: checks that entries continue what was taken before, that the registry's statements are
/// signed by the centre and blocks by their devices, and makes a delivery of them. Nothing of a response that fails
/// a check is taken.
public struct LogFollower {
    private let serving: ServingKeys
    private let organisation: Hash256
    private var cursors: [String: ChannelCursor]
    private var keys: [ReplicaID: PublicKey] = [:]
    /// Channels that had entries.
    private var moved: Set<String> = []
    /// The sequence up to which blocks of a channel may come without their bodies.
    private let bases: [String: UInt64]
    private let knownKey: (ReplicaID) throws -> PublicKey?

    /// - Parameters:
    ///   - bases: the sequence up to which a channel's blocks were asked for without their bodies.
    ///   - knownKey: the device key of a replica that an earlier delivery brought.
    public init(
        serving: ServingKeys, organisation: Hash256, cursors: [ChannelCursor], bases: [String: UInt64] = [:],
        knownKey: @escaping (ReplicaID) throws -> PublicKey?
    ) {
        self.serving = serving
        self.bases = bases
        self.organisation = organisation
        // A channel that was written here and never exchanged has a cursor, but no place in the log.
        self.cursors = Dictionary(cursors.filter { $0.sequence > 0 }.map { ($0.channel, $0) }) { $1 }
        self.knownKey = knownKey
    }

    /// - Throws: ``ProtocolError``: `brokenLink` where the entries do not continue the cursor, `badSignature`,
    ///   `malformed`, `unknownDevice`.
    public mutating func follow(_ entries: [WireLogEntry], epoch: [UInt8]) throws -> Delivery {
        var delivery = Delivery()
        for entry in entries {
            let proof = try advance(entry, epoch: epoch)
            switch entry.kind {
            case .block: delivery.items.append(try item(entry, proof))
            case .ruling where entry.hasBlock: delivery.items.append(try item(entry, proof))
            case .verdict, .ruling:
                delivery.items.append(Delivery.Item(hash: proof.object, block: nil, acceptance: try .init(proof)))
            case .snapshot:
                delivery.snapshots.append(
                    .init(channel: entry.channel, sequence: entry.sequence, hash: proof.object))
            case .registry:
                delivery.registry += try facts(entry, proof)
                delivery.statements.append(.init(proof: proof, signed: entry.registry))
            case .erasure: delivery.erasures.append(try .init(proof: proof, bytes: Array(entry.erasure)))
            case .finality: delivery.finalities.append(try .init(proof: proof, bytes: Array(entry.finality)))
            case .archive:
                delivery.archives.append(.init(channel: entry.channel, sequence: entry.sequence, hash: proof.object))
            default: throw ProtocolError(.unsupportedVersion, "the centre's log has entries that need a newer Kenh")
            }
        }
        moved = Set(entries.map(\.channel))
        delivery.cursors = cursors.values.filter { moved.contains($0.channel) }.sorted { $0.channel < $1.channel }
        // Each hash covers those before it, so the newest of a channel speaks for all.
        for cursor in delivery.cursors where cursor.proof?.isGood(by: serving) != true {
            throw ProtocolError(.badSignature, "the centre did not sign its log's entries")
        }
        return delivery
    }

    private mutating func advance(_ entry: WireLogEntry, epoch: [UInt8]) throws -> EntryProof {
        guard ChannelName.isValid(entry.channel) || entry.channel == ChannelName.registry else {
            throw ProtocolError(.malformed, "a log entry names no channel")
        }
        let cursor = cursors[entry.channel]
        guard entry.sequence == (cursor?.sequence ?? 0) + 1, cursor == nil || cursor?.epoch == epoch else {
            throw ProtocolError(
                .brokenLink, "the centre's log of \(entry.channel) does not go on from where this device stands",
                recovery: .resync)
        }
        guard let object = Hash256(bytes: entry.objectHash), entry.kind == .ruling || entry.ruling.isEmpty,
            entry.kind == .erasure || entry.erasure.isEmpty, entry.kind == .finality || entry.finality.isEmpty
        else {
            throw ProtocolError(.malformed, "a log entry names no object, or has what belongs to one of another kind")
        }
        let proof = EntryProof(
            epoch: entry.epoch.isEmpty ? epoch : Array(entry.epoch), kind: entry.kind, channel: entry.channel,
            sequence: entry.sequence, object: object, acceptedAtMilliseconds: entry.acceptedAtMs,
            previous: cursor?.logHash ?? .zero, signature: Array(entry.signature), ruling: Array(entry.ruling))
        cursors[entry.channel] = ChannelCursor(
            channel: entry.channel, epoch: epoch, sequence: entry.sequence, logHash: proof.entryHash, proof: proof)
        return proof
    }

    /// Checks where the response says that each channel's log ends against what was followed up to there: entries
    /// whose times or order were changed on the way give another hash.
    ///
    /// - Throws: ``ProtocolError`` with code `brokenLink`.
    public func agree(with heads: [WireChannelHead]) throws(ProtocolError) {
        guard moved.isSubset(of: heads.map(\.channel)) else {
            throw ProtocolError(.brokenLink, "the centre does not say where a channel's log ends", recovery: .retry)
        }
        for head in heads {
            guard let cursor = cursors[head.channel] else { continue }
            let isBehind = head.sequence < cursor.sequence
            let differs = head.sequence == cursor.sequence && !head.logHash.elementsEqual(cursor.logHash.bytes)
            guard isBehind || differs else { continue }
            throw ProtocolError(
                .brokenLink, "the centre's log of \(head.channel) does not end as its entries say", recovery: .resync)
        }
    }

    /// The log hashes that the response's heads have to agree with.
    public func logHash(of channel: String) -> (sequence: UInt64, hash: Hash256)? {
        cursors[channel].map { ($0.sequence, $0.logHash) }
    }

    private func item(_ entry: WireLogEntry, _ proof: EntryProof) throws -> Delivery.Item {
        let (object, acceptance) = (proof.object, try Delivery.Acceptance(proof))
        guard entry.hasBlock else { return Delivery.Item(hash: object, block: nil, acceptance: acceptance) }
        if entry.block.body.isEmpty, entry.sequence <= bases[entry.channel] ?? 0 {
            let head = try BlockHead(entry.block)
            try head.verify(deviceKey: key(of: head.header, head.hash, proof))
            return Delivery.Item(hash: object, block: nil, acceptance: acceptance, head: head)
        }
        let block = try Block(entry.block)
        try block.verify(deviceKey: key(of: block.header, block.hash, proof))
        return Delivery.Item(hash: object, block: block, acceptance: acceptance)
    }

    /// The key that a block of an entry has to be signed with.
    private func key(of header: BlockHeader, _ hash: Hash256, _ proof: EntryProof) throws -> PublicKey {
        guard hash == proof.object, header.channel == proof.channel, header.organisation == organisation else {
            throw ProtocolError(.brokenLink, "a log entry carries another block than it names")
        }
        guard let key = try keys[header.replica] ?? knownKey(header.replica) else {
            throw ProtocolError(.unknownDevice, "a block's writer is not in the registry", recovery: .resync)
        }
        return key
    }

    private mutating func facts(_ entry: WireLogEntry, _ proof: EntryProof) throws -> [RegistryFact] {
        guard entry.channel == ChannelName.registry,
            Hashing.sha256(domain: .registry, Array(entry.registry.statement)) == proof.object
        else { throw ProtocolError(.brokenLink, "a registry entry carries another statement than it names") }
        let statement: WireRegistryStatement = try entry.registry.verified(by: serving, domain: .registryStatement)
        guard statement.organisation.elementsEqual(organisation.bytes) else {
            throw ProtocolError(.wrongOrganisation, "a registry entry is for another organisation")
        }
        let found = try Self.facts(of: statement, at: proof.acceptedAtMilliseconds)
        for case .replica(let replica, let key) in found {
            guard try (keys[replica] ?? knownKey(replica)) ?? key == key else {
                throw ProtocolError(.brokenLink, "a registry entry gives a replica to another device")
            }
            keys[replica] = key
        }
        return found
    }

    /// What a statement says, its signature aside.
    static func facts(of statement: Delivery.Statement) throws -> [RegistryFact] {
        try facts(
            of: WireCoding.decode(WireRegistryStatement.self, from: Array(statement.signed.statement)),
            at: statement.proof.acceptedAtMilliseconds)
    }

    private static func facts(of statement: WireRegistryStatement, at milliseconds: Int64) throws -> [RegistryFact] {
        switch statement.what {
        case .cellAdded(let cell): return [.cell(code: cell.code, name: cell.name)]
        case .deviceAdded(let device):
            return [.device(key: try PublicKey(bytes: device.key), cell: device.cell, name: device.name)]
        case .replicaAdded(let added):
            guard let replica = ReplicaID(bytes: added.replica) else {
                throw ProtocolError(.malformed, "a registry entry names no replica")
            }
            return [.replica(replica, device: try PublicKey(bytes: added.deviceKey))]
        case .roleDefined(let role): return [.role(try Role(role, statedAtMilliseconds: milliseconds))]
        case .granted(let grant): return [.grant(try Grant(grant, statedAtMilliseconds: milliseconds))]
        // It tells whoever reads the log; a device learns the epoch from the answers.
        case .epochOpened, .deviceRevoked, .servingKeyAdded, nil: return []
        }
    }
}
