import KenhMerge
import KenhProtocol

extension Vectors {
    /// RFC 8032 §7.1, test 1: everybody has this key.
    static let deviceSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    /// Test 2.
    static let rootSeed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"

    static func key(_ seed: String) throws -> SigningKey { try SigningKey(bytes: [UInt8](hex: seed) ?? []) }

    static func counting(from first: UInt8, _ count: Int) -> [UInt8] { (0..<count).map { first &+ UInt8($0) } }

    // MARK: a block

    static let sample: SampleBody = {
        let pin = ReplicaPin(
            replica: ReplicaID(bytes: counting(from: 0xa0, 16)) ?? SampleBlock.replica, counter: 41,
            hash: HashPrefix(bytes: counting(from: 0xc0, 16)) ?? HashPrefix(0, 0))
        let tables = [
            SampleBody.Table(name: "work_item", idType: .text, columns: ["title", "points", "share", "secret_name"]),
            SampleBody.Table(name: "photo", idType: .blob, columns: ["content"]),
        ]
        let clock = HybridClock(milliseconds: 1_760_000_000_000)
        func item(
            _ kind: ChangeKind, _ id: String, _ tick: UInt16, _ values: [String: Value],
            _ seen: [SampleChange.Predecessor] = []
        ) -> SampleChange {
            SampleChange(
                kind: kind, table: "work_item", id: .text(id),
                clock: HybridClock(milliseconds: clock.milliseconds, tick: tick),
                values: values, predecessors: Set(seen))
        }
        let changes = [
            item(
                .insert, "kh1-01", 0,
                ["title": "Kế hoạch 1", "points": 10, "share": 0.5, "secret_name": "Nguyễn Văn An"]),
            item(.insert, "kh1-02", 0, ["title": "Kế hoạch 2", "points": -3, "share": nil, "secret_name": nil]),
            item(.update, "kh1-01", 7, ["points": 11], [.own(3), .pinned(pin, 40)]),
            SampleChange(
                kind: .insert, table: "photo", id: .blob(counting(from: 0, 16)), clock: clock,
                values: ["content": .blob([0, 255])], predecessors: []),
            item(.delete, "kh1-00", 8, [:], [.own(1), .own(2), .pinned(pin, 41)]),
            item(.add, "kh1-02", 9, ["points": -4]),
        ]
        return SampleBody(tables: tables, changes: changes, firstCounter: 3)
    }()

    /// Follows ``sample`` and names its rows by the dots of their inserts; one row it inserts itself.
    static let births: SampleBody = {
        let clock = HybridClock(milliseconds: 1_760_000_100_000)
        func change(
            _ kind: ChangeKind, _ id: String, _ values: [String: Value], seen: UInt64? = nil
        ) -> SampleChange {
            SampleChange(
                kind: kind, table: "work_item", id: .text(id), clock: clock, values: values,
                predecessors: Set(seen.map { [.own($0)] } ?? []), birth: nil)
        }
        var changes = [
            change(.update, "", ["title": "Kế hoạch 1b"], seen: 3), change(.delete, "", [:], seen: 4),
            change(.insert, "kh1-03", ["title": "Kế hoạch 3"]), change(.update, "", ["points": 12], seen: 5),
        ]
        (changes[0].birth, changes[1].birth, changes[3].birth) = (.own(3), .own(4), .own(3))
        return SampleBody(tables: sample.tables, changes: changes, firstCounter: 8)
    }()

    static func makeBlock() throws -> BlockVector {
        try makeBlock(
            sample, previous: Hash256(bytes: counting(from: 0, 32)) ?? .zero, isGroupStart: true,
            about: "deviceSignature is over the tag 'kenh-v1 block device', a zero byte and headerBytes")
    }

    static func makeBirths() throws -> BlockVector {
        try makeBlock(
            births, previous: Hash256(bytes: [UInt8](hex: makeBlock().blockHash) ?? []) ?? .zero, isGroupStart: false,
            about: "the block after block.json; births are dots of its inserts, and ids what they stand for")
    }

    private static func makeBlock(
        _ sample: SampleBody, previous: Hash256, isGroupStart: Bool, about: String
    ) throws -> BlockVector {
        let key = try key(deviceSeed)
        let draft = BlockDraft(
            organisation: try Self.key(rootSeed).publicKey.organisationFingerprint, channel: "plan/KH1",
            replica: SampleBlock.replica, officer: "bình", firstCounter: sample.firstCounter,
            previous: previous, schemaVersion: 1, isGroupStart: isGroupStart, isGroupEnd: !isGroupStart)
        let block = try BlockCodec().seal(sample.builder(), as: draft, key: key)
        return BlockVector(
            about: about,
            deviceSeed: deviceSeed, devicePublicKey: key.publicKey.hex, header: header(block.header),
            headerBytes: block.headerBytes.hex, plainBody: sample.builder().finish().body.hex, body: block.body.hex,
            detached: block.detached.hex, deviceSignature: block.deviceSignature.hex, blockHash: block.hash.bytes.hex,
            changes: changes(of: try opened(block), block.header))
    }

    /// The block's body; rows that are named by births get the ids that ``sample`` inserts.
    static func opened(_ block: Block) throws -> BlockBody {
        let codec = BlockCodec()
        var body = try codec.open(block)
        guard !body.births.isEmpty else { return body }
        let before = try codec.births(of: SampleBlock.block(makeBlock()))
        for (place, named) in body.births.enumerated() {
            try body.name(place, after: before, at: Int(named.birth.counter - sample.firstCounter))
        }
        return body
    }

    static func header(_ header: BlockHeader) -> BlockVector.HeaderVector {
        BlockVector.HeaderVector(
            organisation: header.organisation.bytes.hex, channel: header.channel, replica: header.replica.bytes.hex,
            officer: header.officer, firstCounter: header.firstCounter, count: header.count,
            previous: header.previous.bytes.hex, schemaVersion: header.schemaVersion,
            firstClock: header.firstClock.rawValue, lastClock: header.lastClock.rawValue,
            group: (header.isGroupStart ? 1 : 0) | (header.isGroupEnd ? 2 : 0), compressedSize: header.compressedSize,
            plainSize: header.plainSize, bodyHash: header.bodyHash.bytes.hex)
    }

    static func changes(of body: BlockBody, _ header: BlockHeader) -> [ChangeVector] {
        SampleBody.changes(of: body).enumerated().map { at, change in
            let vector = { (dot: WireDot) in
                PredecessorVector(
                    replica: dot.reference == 0 ? nil : body.pins[Int(dot.reference) - 1].replica.bytes.hex,
                    counter: dot.counter)
            }
            return ChangeVector(
                counter: header.firstCounter + UInt64(at), kind: "\(change.kind)", table: change.table,
                id: ValueVector(change.id), clock: change.clock.rawValue,
                values: change.values.mapValues(ValueVector.init),
                predecessors: body.predecessors(of: at).map(vector),
                birth: body.births.first { $0.change == at }.map { vector($0.birth) })
        }
    }

    // MARK: hashes and claims

    static func makeEntries() throws -> [EntryVector] {
        let objects: [(WireEntryKind, String, [UInt8], Int64)] = [
            (.block, "org", counting(from: 0, 32), 1_655_254_800_000), (.block, "org", counting(from: 1, 32), 0),
            (.registry, "kenh/registry", counting(from: 2, 32), -1),
            (.block, String(repeating: "c", count: 200), counting(from: 3, 32), .max),
        ]
        var previous: [String: (sequence: UInt64, hash: Hash256)] = [:]
        return objects.map { kind, channel, object, acceptedAt in
            let before = previous[channel] ?? (0, .zero)
            let hash = EntryHash.next(
                after: before.hash, kind: kind, channel: channel, sequence: before.sequence + 1,
                object: Hash256(bytes: object) ?? .zero, acceptedAtMilliseconds: acceptedAt)
            previous[channel] = (before.sequence + 1, hash)
            return EntryVector(
                previous: before.hash.bytes.hex, kind: kind.rawValue, channel: channel, sequence: before.sequence + 1,
                objectHash: object.hex, acceptedAtMs: acceptedAt, entryHash: hash.bytes.hex)
        }
    }

    static let committedValues: [Value] = [
        "Nguyễn Văn An", "", 0, -1, .integer(.min), 0.5, -0.0, .blob([]), .blob([0, 255]),
    ]

    static func makeCommitments() -> [CommitmentVector] {
        committedValues.enumerated().map { at, value in
            let salt = counting(from: UInt8(at), 16)
            var writer = ByteWriter()
            writer.value(value)
            return CommitmentVector(
                salt: salt.hex, value: ValueVector(value), encoded: writer.bytes.hex,
                commitment: Erasable.commitment(to: value, salt: salt).bytes.hex)
        }
    }

    static func makeEnrolment() throws -> EnrolmentVector {
        let root = try key(rootSeed).publicKey
        let device = try key(deviceSeed)
        let organisation = root.organisationFingerprint
        let claim = Enrolment.claim(organisation: organisation, key: device.publicKey, replica: SampleBlock.replica)
        let code = try EnrolmentCode(secret: counting(from: 0, 10), organisation: organisation)
        let proof = code.proof(organisation: organisation, deviceKey: device.publicKey, replica: SampleBlock.replica)
        return EnrolmentVector(
            rootPublicKey: root.hex, organisation: organisation.bytes.hex, deviceSeed: deviceSeed,
            devicePublicKey: device.publicKey.hex, replica: SampleBlock.replica.bytes.hex, claim: claim.hex,
            countersignature: try device.sign(claim, domain: .enrolment).hex, codeSecret: code.secret.hex,
            code: code.text, codeID: code.codeID.hex, proof: proof.hex)
    }
}
