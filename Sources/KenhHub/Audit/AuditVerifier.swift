import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// What a check of an audit file found.
public struct AuditReport: Sendable, Equatable {
    public internal(set) var organisation = ""
    public internal(set) var entries: UInt64 = 0
    public internal(set) var blocks = 0
    public internal(set) var changes = 0
    /// Values that were erased, each named by an erasure.
    public internal(set) var erasedValues = 0
    /// Who wrote what, as the entries themselves show it.
    public internal(set) var text = ""
    /// What is no fault, and should be known: the log was restored and lacks what it once had.
    public internal(set) var remarks: [String] = []
    /// One sentence each.
    public internal(set) var problems: [String] = []

    public var isGood: Bool { problems.isEmpty }
}

/// Checks an audit file without the centre and without trusting it: every lane whole, every signature good, nothing left
/// out, nothing put in, and the whole the very log for which the centre had signed.
public struct AuditVerifier {
    private let organisation: Hash256?
    private let notes: [(name: String, note: String)]

    private static let problemLimit = 100

    /// - Parameters:
    ///   - organisation: fingerprint that the file's root key has to have; nil where it is taken as it is.
    ///   - notes: checkpoints that somebody kept, with a name for each.
    public init(organisation: Hash256? = nil, notes: [(name: String, note: String)] = []) {
        self.organisation = organisation
        self.notes = notes
    }

    /// - Throws: ``ProtocolError`` where the file is none; what is wrong in it is in the report.
    public func verify(_ file: FileHandle, progress: (UInt64) -> Void = { _ in }) throws -> AuditReport {
        var reader = try AuditReader(file)
        var check = AuditCheck(organisation: organisation, notes: notes)
        while check.report.problems.count < Self.problemLimit {
            do {
                guard let record = try reader.next() else { break }
                check.take(record)
                progress(check.report.entries)
            } catch AuditReader.Failure.unreadable {
                check.add("\(check.place) there is a record that cannot be read")
            } catch AuditReader.Failure.lost {
                check.add("\(check.place) the file cannot be read on: a length was altered, or the rest is missing")
                break
            }
        }
        return check.finished()
    }
}

/// The state of a check, record by record.
private struct AuditCheck {
    private(set) var report = AuditReport()
    private let wanted: Hash256?
    private let codec = BlockCodec()
    private var index = AuditIndex()
    private var indexText: String?
    private var root: PublicKey?
    private var certificates: ServingCertificates?
    /// Which of the certificates, newest first, the last entry was signed under.
    private var reign = Int.max
    private var notes: [(name: String, note: String)]
    private var checkpoints: [UInt64: [(name: String, checkpoint: Checkpoint)]] = [:]
    private var tree = MerkleFrontier()
    private var chains: [String: (sequence: UInt64, hash: Hash256)] = [:]
    private var lanes: [Hash256: LoggedBlock] = [:]
    private var pinned: [String: Set<ReplicaPin>] = [:]
    /// What is struck of blocks so far.
    private var struck: [Hash256: ChangeSet] = [:]
    private var erasable = ErasureAccount()
    /// When the log's life at this place of the file began.
    private var lifeBegan = Int64.min
    /// How large the log was when each of its lives ended.
    private var ends: [[UInt8]: UInt64] = [:]
    private var epoch: [UInt8] = []
    /// Checkpoints that are not of this log.
    private var unequal: [(name: String, checkpoint: Checkpoint)] = []
    private var isSealed = false
    private var isSealGood = true

    init(organisation: Hash256?, notes: [(name: String, note: String)]) {
        wanted = organisation
        self.notes = notes
    }

    var place: String { tree.size == 0 ? "before the first entry" : "after entry \(tree.size)" }

    mutating func add(_ problem: String) { if !report.problems.contains(problem) { report.problems.append(problem) } }

    mutating func take(_ record: AuditReader.Record) {
        if isSealed { add("after the seal there is something more") }
        if !record.isPlain { add("\(place) a record has bytes that do not belong there") }
        switch record.record.what {
        case .index(let text): indexText = text
        case .organisation(let wire): take(wire)
        case .checkpoint(let note):
            if tree.size > 0 { add("\(place) there is a checkpoint, which has to stand before them") }
            notes.append(("a checkpoint of the file", note))
        case .entry(let entry): take(entry)
        case .seal(let seal): take(seal, record.hashBefore)
        case nil: break
        }
    }

    private mutating func take(_ wire: WireAuditOrganisation) {
        guard root == nil else { return add("the file names its organisation twice") }
        guard let key = try? PublicKey(bytes: wire.rootKey) else { return add("the organisation's root key is none") }
        root = key
        report.organisation = key.organisationFingerprint.bytes.hex
        if let wanted, wanted != key.organisationFingerprint {
            add("the file is of the organisation \(report.organisation), not of the one asked for")
        }
        let given = [wire.servingCertificate] + wire.earlierCertificates
        do {
            certificates = try ServingCertificates(given, root: key)
        } catch { add("the centre's certificate is not signed by the organisation's root key") }
        if let certificates, certificates.signed != given {
            add("the centre's certificates do not stand in their order")
        }
    }

    // MARK: entries

    private mutating func take(_ wire: WireLogEntry) {
        guard let certificates else {
            return add("the file does not say whose log it is before its first entry")
        }
        report.entries += 1
        index.countEntry()
        // Told first, since all that follows depends on it.
        if wire.position != tree.size + 1 { return misplaced(wire) }
        let chain = chains[wire.channel] ?? (0, .zero)
        guard let object = Hash256(bytes: wire.objectHash) else { return add("\(name(wire)) names no object") }
        let proof = EntryProof(
            epoch: Array(wire.epoch), kind: wire.kind, channel: wire.channel, sequence: wire.sequence, object: object,
            acceptedAtMilliseconds: wire.acceptedAtMs, previous: chain.hash, signature: Array(wire.signature),
            ruling: Array(wire.ruling))
        if wire.sequence != chain.sequence + 1 { add("\(name(wire)) does not follow the one before it in its channel") }
        if !isSigned(proof, certificates) {
            add("\(name(wire)) is not what the centre signed: its place, time, object or signature was altered")
        }
        chains[wire.channel] = (wire.sequence, proof.entryHash)
        epoch = proof.epoch
        takeObject(wire, object, certificates.keys)
        tree.append(MerkleHash.leaf(proof.entryHash.bytes))
        compare()
    }

    /// A key of the centre's gives way to a newer one, and never comes back.
    private mutating func isSigned(_ proof: EntryProof, _ certificates: ServingCertificates) -> Bool {
        let oldest = min(reign, certificates.all.count - 1)
        for place in (0...oldest).reversed()
        where proof.isGood(by: ServingKeys(certificates.all[place].servingKey)) {
            reign = place
            return true
        }
        return false
    }

    private mutating func misplaced(_ wire: WireLogEntry) {
        let next = tree.size + 1
        if wire.position > next {
            add("entry \(next)\(wire.position > next + 1 ? " to \(wire.position - 1)" : "") is missing")
        } else {
            add("\(place) entry \(wire.position) stands once more")
        }
    }

    private func name(_ wire: WireLogEntry) -> String {
        var name = "entry \(wire.position) (\(wire.channel) \(wire.sequence)"
        if wire.hasBlock, let header = try? BlockHeader(decoding: Array(wire.block.header)) {
            name += ": changes \(header.firstCounter) to \(header.lastCounter) of \(index.author(of: header.replica))"
        }
        return name + ")"
    }

    private mutating func takeObject(_ wire: WireLogEntry, _ object: Hash256, _ keys: ServingKeys) {
        do {
            guard wire.kind == .ruling || wire.ruling.isEmpty else {
                throw ProtocolError(.malformed, "it has a ruling, and is none")
            }
            guard wire.kind == .erasure || wire.erasure.isEmpty else {
                throw ProtocolError(.malformed, "it has an erasure, and is none")
            }
            guard wire.kind == .finality || wire.finality.isEmpty else {
                throw ProtocolError(.malformed, "it has final deletions, and is none")
            }
            switch wire.kind {
            case .block: try take(try Block(wire.block), object, nil, wire)
            case .ruling where wire.hasBlock:
                try take(try Block(wire.block), object, try Ruling(decoding: Array(wire.ruling)), wire)
            case .registry: try take(wire.registry, object, wire, keys)
            case .ruling: try takeLate(try Ruling(decoding: Array(wire.ruling)), object, wire)
            case .verdict: try takeLate(nil, object, wire)
            // Whoever has the channel's blocks can make it again.
            case .snapshot where !wire.hasBlock && !wire.hasRegistry: break
            // The blocks themselves are in the audit file.
            case .archive where !wire.hasBlock && !wire.hasRegistry: break
            case .finality: try takeFinality(Array(wire.finality), object, wire)
            case .erasure: try takeErasure(Array(wire.erasure), object, wire)
            default: throw ProtocolError(.unsupportedVersion, "it is of a kind that needs a newer Kenh")
            }
        } catch { add("\(name(wire)): \((error as? ProtocolError)?.message ?? "\(error)")") }
    }

    /// More that is said of a block that the log has.
    private mutating func takeLate(_ ruling: Ruling?, _ object: Hash256, _ wire: WireLogEntry) throws {
        guard lanes[object]?.channel == wire.channel else {
            throw ProtocolError(.brokenLink, "it judges a block that is not in its channel's log")
        }
        let (known, struck) = (self.struck[object] ?? ChangeSet(), ruling?.struck ?? ChangeSet())
        guard known.isSubset(of: struck) else {
            throw ProtocolError(.forbidden, "what was struck before is not struck any more")
        }
        guard wire.acceptedAtMs < lifeBegan || struck == known else {
            throw ProtocolError(.forbidden, "the centre struck changes that it had taken")
        }
        self.struck[object] = struck
    }

    private mutating func takeErasure(_ bytes: [UInt8], _ object: Hash256, _ wire: WireLogEntry) throws {
        let erasure = try Erasure(decoding: bytes)
        guard ChannelName.isValid(wire.channel), Erasure.hash(of: bytes) == object else {
            throw ProtocolError(.brokenLink, "it carries another erasure than it names")
        }
        index.add(erasure, in: wire.channel, acceptedAt: wire.acceptedAtMs)
        let hasAll = erasable.add(erasure) { lanes[$0]?.channel == wire.channel || wire.acceptedAtMs < lifeBegan }
        // What came back from a forgotten life may stand before its blocks.
        guard hasAll || wire.acceptedAtMs < lifeBegan else {
            throw ProtocolError(.brokenLink, "it names values that no block of its channel before it has")
        }
    }

    private mutating func takeFinality(_ bytes: [UInt8], _ object: Hash256, _ wire: WireLogEntry) throws {
        let finality = try Finality(decoding: bytes)
        guard ChannelName.isValid(wire.channel), Finality.hash(of: bytes) == object else {
            throw ProtocolError(.brokenLink, "it carries other final deletions than it names")
        }
        index.add(finality, in: wire.channel, acceptedAt: wire.acceptedAtMs)
        // What came back from a forgotten life may stand before its blocks.
        guard wire.acceptedAtMs < lifeBegan || finality.blocks.allSatisfy({ lanes[$0.hash]?.channel == wire.channel })
        else { throw ProtocolError(.brokenLink, "it names a block that is not in its channel's log before it") }
    }

    private mutating func take(_ block: Block, _ object: Hash256, _ ruling: Ruling?, _ wire: WireLogEntry) throws {
        let header = block.header
        index.add(header, acceptedAt: wire.acceptedAtMs)
        if let ruling {
            index.add(ruling, on: header)
            struck[object] = ruling.struck
        }
        lanes[object] = LoggedBlock(
            hash: object, replica: header.replica, channel: header.channel, lastCounter: header.lastCounter)
        let pin = ReplicaPin(replica: header.replica, counter: header.lastCounter, hash: object.prefix)
        pinned[header.channel, default: []].insert(pin)
        guard block.hash == object, header.channel == wire.channel,
            header.organisation.bytes.hex == report.organisation
        else { throw ProtocolError(.brokenLink, "it carries another block than it names") }
        guard let key = index.key(of: header.replica) else {
            throw ProtocolError(.unknownDevice, "its writer is not in the registry")
        }
        try block.verify(deviceKey: key)
        if header.previous != .zero {
            let previous = lanes[header.previous]
            guard previous?.replica == header.replica, previous?.channel == header.channel,
                previous?.lastCounter == header.firstCounter - 1
            else {
                throw ProtocolError(.brokenLink, "there is a gap: what its writer wrote before it is not in the log")
            }
        }
        let body = try codec.open(block)
        erasable.add(body, of: object)
        for pin in body.pins where pinned[header.channel]?.contains(pin) != true {
            throw ProtocolError(.brokenLink, "what it builds on is not in the log before it")
        }
        try judge(block, body, ruling, wire)
    }

    /// The centre has to have struck what the writer was not allowed to do, and nothing else. What comes back from a
    /// forgotten life was judged in that one.
    private func judge(_ block: Block, _ body: BlockBody, _ ruling: Ruling?, _ wire: WireLogEntry) throws {
        guard wire.acceptedAtMs >= lifeBegan, let cell = index.cell(of: block.header.replica) else { return }
        let due = index.rights.ruling(on: block, body, of: cell)?.struck ?? ChangeSet()
        let struck = ruling?.struck ?? ChangeSet()
        guard due.isSubset(of: struck) else {
            throw ProtocolError(.forbidden, "the centre took changes that their writer was not allowed to make")
        }
        guard struck.isSubset(of: due) else {
            throw ProtocolError(.forbidden, "the centre struck changes that their writer was allowed to make")
        }
    }

    private mutating func take(
        _ signed: WireSignedStatement, _ object: Hash256, _ wire: WireLogEntry, _ keys: ServingKeys
    ) throws {
        guard wire.channel == ChannelName.registry,
            Hashing.sha256(domain: .registry, Array(signed.statement)) == object
        else { throw ProtocolError(.brokenLink, "it carries another statement than it names") }
        let statement: WireRegistryStatement = try signed.verified(by: keys, domain: .registryStatement)
        index.add(statement, acceptedAt: wire.acceptedAtMs)
        if case .epochOpened(let opened) = statement.what { try take(opened, wire) }
    }

    private mutating func take(_ opened: WireEpochOpened, _ wire: WireLogEntry) throws {
        // One that came back from a forgotten life speaks of a tree that is no more.
        guard opened.epoch == wire.epoch else {
            let end = ends[Array(opened.before)] ?? opened.treeSize
            ends[Array(opened.epoch)] = min(end, opened.treeSize)
            return
        }
        guard opened.treeSize == tree.size, opened.treeRoot.elementsEqual(tree.root.bytes) else {
            throw ProtocolError(.brokenLink, "the log that was restored is not the one that it says")
        }
        ends[Array(opened.before)] = tree.size
        lifeBegan = wire.acceptedAtMs
    }

    // MARK: checkpoints

    /// Notes stand before entries, so that a size can be compared when it is reached.
    private mutating func compare() {
        readNotes()
        for (name, checkpoint) in checkpoints[tree.size] ?? [] { compare(name, checkpoint) }
    }

    private mutating func compare(_ name: String, _ checkpoint: Checkpoint) {
        guard checkpoint.root != tree.root else { return }
        unequal.append((name, checkpoint))
    }

    /// Once all is read: what came of the log's lives is said behind what they held.
    private mutating func judge(_ name: String, _ checkpoint: Checkpoint) {
        let rewritten =
            "\(name) over \(checkpoint.size) entries is not of this log: the checkpoint or entries were rewritten"
        guard let end = checkpoint.epoch.flatMap({ ends[$0] }) else { return add(rewritten) }
        if end < checkpoint.size { return remark(on: checkpoint, end: end) }
        add(
            "\(rewritten), or it was restored from an older copy and went on before anybody noticed (its life ended after entry \(end))"
        )
    }

    private mutating func readNotes() {
        guard !notes.isEmpty, let certificates else { return }
        for (name, note) in notes {
            guard let signed = try? SignedNote(decoding: note),
                let checkpoint = try? Checkpoint(signed, keys: certificates.keys)
            else {
                add("\(name) was altered, or is not the centre's: its signature is not good")
                continue
            }
            checkpoints[checkpoint.size, default: []].append((name, checkpoint))
        }
        notes = []
    }

    // MARK: the end

    private mutating func take(_ seal: WireSignedStatement, _ hash: [UInt8]) {
        isSealed = true
        guard let certificates,
            let what: WireAuditSeal = try? seal.verified(by: certificates.newest.servingKey, domain: .auditSeal)
        else { return add("the seal at the end is not the centre's") }
        isSealGood = what.hash.elementsEqual(hash)
    }

    private var isIndexRight: Bool { indexText == text }

    private var text: String {
        index.text(
            organisation: root?.organisationFingerprint ?? .zero, name: certificates?.newest.name ?? "", root: tree.root
        )
    }

    mutating func finished() -> AuditReport {
        readNotes()
        for (name, checkpoint) in unequal { judge(name, checkpoint) }
        if root == nil { add("the file does not say whose log it is") }
        for (_, beyond) in checkpoints.sorted(by: { $0.key < $1.key }) {
            for (name, checkpoint) in beyond where checkpoint.size > tree.size { compareBeyond(name, checkpoint) }
        }
        if checkpoints[tree.size]?.contains(where: {
            $0.checkpoint.epoch == epoch && $0.checkpoint.root == tree.root
        }) != true {
            add("no checkpoint covers the whole of the log: entries at its end may be missing")
        }
        if !isSealed { add("the seal at the end is missing") }
        erasable.problems.forEach { add($0) }
        report.erasedValues = erasable.accountedFor
        // What the entries say counts; where they are altered themselves, so is what they say.
        if report.problems.isEmpty, !isIndexRight {
            add("the index at the head of the file is not what the entries show")
        }
        if report.problems.isEmpty, !isSealGood { add("bytes of the file were altered that no entry covers") }
        report.text = text
        report.blocks = index.blocks
        report.changes = index.changes
        return report
    }

    private mutating func compareBeyond(_ name: String, _ checkpoint: Checkpoint) {
        let epoch = checkpoint.epoch ?? []
        guard let end = ends[epoch], end < checkpoint.size else {
            return add(
                "\(name) shows \(checkpoint.size) entries, the file has \(tree.size): the rest is missing")
        }
        remark(on: checkpoint, end: end)
    }

    private mutating func remark(on checkpoint: Checkpoint, end: UInt64) {
        report.remarks.append(
            "the centre was restored: it once had \(checkpoint.size) entries, and went on from \(end) of them")
    }
}
