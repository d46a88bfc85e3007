import Foundation
import KenhHub
import KenhMerge
import KenhProtocol

/// Random transactions on a log, a third of them rolled back, and everything that it can be asked after each. What it
/// answers otherwise than ``MemoryLog`` is a ``LogDivergence``.
public struct LogConformance {
    private struct RolledBack: Error {}

    private static let channels = ["a", "a/b", "a/c", "org", "plan/A", "plan/~", ChannelName.registry]
    private static let kinds: [WireEntryKind] = [
        .block, .block, .block, .verdict, .ruling, .registry, .erasure, .finality,
    ]

    private let log: PairedLog
    private let shelf: ArchiveShelf
    private var random: SeededGenerator
    private let organisation: Hash256
    private let devices: [SigningKey]
    private var objects: [Hash256] = []
    private var blocks: [Block] = []
    private var archived: [ArchiveFile] = []
    private var epochs: [[UInt8]] = []
    private var clock: Int64 = 1_760_000_000_000

    /// - Parameters:
    ///   - log: a new one.
    ///   - shelf: on which it looks for archive files; written to.
    public init(_ log: any HubLog, shelf: ArchiveShelf, seed: UInt64) throws {
        self.log = try PairedLog(log, archives: shelf)
        self.shelf = shelf
        random = SeededGenerator(seed: seed)
        organisation = Hashing.sha256(domain: .entry, [])
        var devices: [SigningKey] = []
        for _ in 0..<3 { devices.append(try SigningKey(using: &random)) }
        self.devices = devices
    }

    /// - Throws: ``LogDivergence``.
    public mutating func run(transactions: Int) throws {
        for _ in 0..<transactions {
            let isKept = !random.chance(percent: 33)
            let before = self
            do {
                try log.write { log in
                    for _ in 0...random.below(4) { try step(log) }
                    guard isKept else { throw RolledBack() }
                }
            } catch is RolledBack {
                // What was drawn is not drawn again; what was made is not there.
                (objects, blocks, archived) = (before.objects, before.blocks, before.archived)
            }
            if random.chance(percent: 10) { try log.scrub() }
            try log.read { try askAll($0) }
        }
    }

    /// What both refuse is as good as what both take.
    private mutating func step(_ log: any HubTransaction) throws {
        do { try act(log) } catch let divergence as LogDivergence { throw divergence } catch {}
    }

    private mutating func act(_ log: any HubTransaction) throws {
        clock += Int64(random.below(3))
        let key = devices[random.below(devices.count)].publicKey
        let channel = random.pick(Self.channels) ?? "a"
        switch random.below(21) {
        case 0..<8: try append(log, to: channel, by: key)
        case 8:
            let epoch = random.chance(percent: 20) ? epochs.first ?? [] : bytes(16)
            epochs.append(epoch)
            try log.open(epoch: epoch, atMilliseconds: clock)
        case 9: try log.addCell(code: "C\(random.below(4))", name: "Chi bộ \(random.below(9))")
        case 10:
            try log.addDevice(
                RegisteredDevice(
                    key: key, cell: "C\(random.below(4))", name: "máy \(random.below(3))",
                    replaces: random.chance(percent: 30) ? devices[0].publicKey : nil))
        case 11: try log.revoke(key, atMilliseconds: clock)
        case 12: try log.addReplica(replica(random.below(4)), device: key)
        case 13:
            let code = IssuedCode(
                secret: bytes(4), cell: "C1", expiresAtMilliseconds: clock,
                usedBy: random.chance(percent: 30) ? key.bytes : nil)
            try log.addCode([UInt8(random.below(4))], code)
            try log.markUsed([UInt8(random.below(4))], by: key.bytes)
        case 14:
            var signed = WireSignedStatement()
            signed.statement = Data([UInt8(random.below(4))])
            try log.addServingCertificate(signed, notBeforeMilliseconds: Int64(random.below(3)))
        case 15:
            try log.addRole(
                Role(
                    name: "r\(random.below(3))", rights: ["t\(random.below(2))": .insert],
                    statedAtMilliseconds: Int64(random.below(5))))
            try log.addGrant(
                Grant(
                    cell: random.pick(["C1", "C2", Grant.everyCell]) ?? "", channel: channel,
                    role: "r\(random.below(3))",
                    statedAtMilliseconds: Int64(random.below(5))))
        case 16:
            try log.quarantine(
                QuarantinedBlock(
                    hash: hash(random.below(6)), writer: key, sender: devices[0].publicKey.bytes,
                    receivedAtMilliseconds: clock, payload: bytes(random.below(40))))
            if random.chance(percent: 30) { try log.leaveQuarantine(hash(random.below(6))) }
        case 17: try erase(log)
        case 18:
            try log.confirm(
                channel,
                random.chance(percent: 20)
                    ? nil : Confirmation(sequence: UInt64(random.below(9)), seenAtMilliseconds: clock), by: key)
            try log.acknowledge(channel, UInt64(random.below(9)), by: key)
            try log.wait(
                for: random.chance(percent: 30)
                    ? nil : AwaitedDeletions(sequence: UInt64(random.below(9)), askedAtMilliseconds: clock), in: channel
            )
        default: try archive(log, channel)
        }
    }

    private mutating func bytes(_ count: Int) -> [UInt8] { .random(count: count, using: &random) }

    private func hash(_ number: Int) -> Hash256 { Hashing.sha256(domain: .entry, [UInt8(number)]) }

    private func replica(_ number: Int) -> ReplicaID {
        var random = SeededGenerator(seed: UInt64(number))
        return .random(using: &random)
    }

    private mutating func append(_ log: any HubTransaction, to channel: String, by key: PublicKey) throws {
        let kind = random.pick(Self.kinds) ?? .block
        var object = random.chance(percent: 30) ? random.pick(objects) ?? hash(7) : Hash256(bytes: bytes(32)) ?? .zero
        var payload = kind == .verdict || kind == .ruling ? [] : bytes(random.below(200))
        var header: BlockHeader?
        if kind == .block || kind == .ruling && random.chance(percent: 50) {
            let block = try made(channel)
            (object, header, payload) = (block.hash, block.header, try WireCoding.encode(block.wire))
            blocks.append(block)
        }
        let ruling = kind == .ruling ? bytes(random.below(4)) : []
        objects.append(object)
        _ = try log.append(
            NewEntry(
                kind: kind, channel: channel, object: object, acceptedAtMilliseconds: clock, sender: key.bytes,
                payload: payload, header: header, ruling: ruling)
        ) { epoch, hash in Array(epoch + hash.bytes.reversed()) }
    }

    /// Nobody reads what is in it: the log keeps it as it came.
    private mutating func made(_ channel: String) throws -> Block {
        let body = bytes(1 + random.below(100))
        let number = UInt64(blocks.count) + 1
        let clock = HybridClock(milliseconds: clock)
        let header = BlockHeader(
            organisation: organisation, channel: channel, replica: replica(random.below(4)), officer: "",
            firstCounter: number, count: 1, previous: .zero, schemaVersion: 1, firstClock: clock, lastClock: clock,
            isGroupStart: true, isGroupEnd: random.chance(percent: 50), compressedSize: body.count, plainSize: 100,
            bodyHash: Hashing.sha256(domain: .blockBody, body))
        return try Block(
            headerBytes: header.encoded(), body: body, deviceSignature: bytes(64), officerSignature: [],
            detached: bytes(9))
    }

    private mutating func erase(_ log: any HubTransaction) throws {
        guard let block = random.pick(blocks) else { return }
        try log.markErased([Erasure.Name(block: block.hash, place: random.below(2), column: "tên")])
        guard var wire = try log.payload(of: block.hash).map({ try WireCoding.decode(WireBlock.self, from: $0) }) else {
            return
        }
        wire.detached = Data(bytes(random.below(9)))
        try log.replace(payload: try WireCoding.encode(wire), of: block.hash)
    }

    private mutating func archive(_ log: any HubTransaction, _ channel: String) throws {
        if random.chance(percent: 40), let file = random.pick(archived) {
            _ = try log.move(file, isRestored: random.chance(percent: 50))
            return
        }
        var found: [(sequence: UInt64, block: Block)] = []
        for entry in try log.entries(channel: channel, after: 0, limitBytes: .max)
        where [.block, .ruling].contains(entry.kind) && !entry.payload.isEmpty {
            found.append((entry.sequence, try Block(try WireCoding.decode(WireBlock.self, from: entry.payload))))
        }
        guard !found.isEmpty else { return }
        let start = random.below(found.count)
        let file = try ArchiveFile(
            organisation: organisation, channel: channel, Array(found[start...].prefix(1 + random.below(4))))
        try shelf.put(file.bytes, as: file.hash)
        _ = try log.move(file, isRestored: false)
        archived.append(file)
    }

    // MARK: questions

    /// The answers were compared when they came.
    private mutating func askAll(_ log: any HubTransaction) throws {
        let size = try log.size
        for level in 0..<4 where size >> UInt64(level) > 0 {
            _ = try log.node(level: level, index: UInt64(random.below(Int(size >> UInt64(level)))))
        }
        _ = try log.epoch
        for epoch in epochs + [[], bytes(16)] { _ = try log.knows(epoch: epoch) }
        for object in objects.suffix(6) + [random.pick(objects) ?? .zero, hash(99)] {
            _ = try log.acceptance(of: object)
            _ = try log.entry(of: object)
            _ = try log.contains(object)
            _ = try log.erased(of: object)
        }
        if let block = random.pick(blocks) {
            _ = try log.block(block.hash)
            _ = try log.payload(of: block.hash)
            let pin = ReplicaPin(
                replica: block.header.replica, counter: block.header.lastCounter + UInt64(random.below(2)),
                hash: block.hash.prefix)
            for channel in Self.channels { _ = try log.block(pinnedBy: pin, channel: channel) }
        }
        _ = try log.heads()
        for names in [["a*"], ["a", "a/b", "a/*"], ["plan/*", "plan/~"], ["*"], [], ["A"]] {
            _ = try log.heads(among: names)
        }
        for channel in Self.channels + ["none"] { try ask(log, of: channel) }
        _ = try log.entries(afterPosition: UInt64(random.below(Int(size) + 2)), limitBytes: random.below(2000))
        (_, _, _, _) = (try log.erasures(), try log.lastErasures(), try log.isUnclean, try log.finalities())
        (_, _) = (try log.awaited(), try log.archives())
        for key in devices.map(\.publicKey) {
            (_, _) = (try log.confirmations(of: key), try log.acknowledgements(of: key))
            (_, _) = (try log.device(key.bytes), try log.quarantinedBytes(of: key))
            _ = try log.quarantined(of: key)
        }
        (_, _, _) = (try log.devices(), try log.quarantined(of: nil), try log.servingCertificates())
        (_, _) = (try log.roles(), try log.grants(of: nil))
        for number in 0..<6 {
            (_, _) = (try log.cellName("C\(number)"), try log.grants(of: "C\(number)"))
            (_, _) = (try log.code([UInt8(number)]), try log.deviceKey(of: replica(number)))
            _ = try log.isQuarantined(hash(number))
        }
    }

    private mutating func ask(_ log: any HubTransaction, of channel: String) throws {
        let sequence = UInt64(random.below(12))
        _ = try log.entry(channel: channel, sequence: sequence)
        _ = try log.entryHash(channel: channel, sequence: sequence)
        _ = try log.position(channel: channel, sequence: sequence)
        _ = try log.entries(channel: channel, after: sequence, limitBytes: random.below(1000))
        _ = try log.lastSequence(of: channel, acceptedBefore: clock - Int64(random.below(20)))
        _ = try log.payloadBytes(of: channel, after: sequence, upTo: sequence + UInt64(random.below(9)))
    }
}
