import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Blocks on their way into the log.
@Suite struct AdmissionTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    @Test("each block gets its receipt, in order; a second time it was had already, at the same place")
    func receipts() throws {
        let blocks = try a.chain(3)
        let first = try a.send(blocks)
        #expect(first.map(\.verdict) == [.accepted, .accepted, .accepted])
        #expect(first.map(\.sequence) == [1, 2, 3])
        #expect(first.map(\.acceptedAtMs) == [HubFixture.start, HubFixture.start, HubFixture.start])
        #expect(first.map { Array($0.blockHash) } == blocks.map(\.hash.bytes))
        fixture.clock.advance(milliseconds: 1000)
        let second = try a.send([blocks[2], blocks[0], blocks[0]])
        #expect(second.map(\.verdict) == [.alreadyHad, .alreadyHad, .alreadyHad])
        #expect(second.map(\.sequence) == [3, 1, 1])
        #expect(second.map(\.acceptedAtMs) == [HubFixture.start, HubFixture.start, HubFixture.start])
        #expect(try fixture.blockCount == 3)
    }

    @Test("one request may bring a block twice: it is logged once")
    func twiceInOne() throws {
        let block = try a.chain(1)[0]
        #expect(try a.send([block, block]).map(\.verdict) == [.accepted, .alreadyHad])
        #expect(try fixture.blockCount == 1)
    }

    @Test("a block with any changed byte is invalid and not logged")
    func tampered() throws {
        let wire = try a.chain(1)[0].wire
        let parts: [WritableKeyPath<WireBlock, Data>] = [\.header, \.body, \.deviceSignature, \.detached]
        var tampered: [WireBlock] = []
        for part in parts {
            #expect(!wire[keyPath: part].isEmpty)
            for at in wire[keyPath: part].indices {
                var bad = wire
                bad[keyPath: part][at] ^= 0x55
                tampered.append(bad)
            }
            var bad = wire
            bad[keyPath: part].append(0)
            tampered.append(bad)
            bad[keyPath: part].removeAll()
            tampered.append(bad)
        }
        var bad = wire
        bad.officerSignature = Data([1])
        tampered.append(bad)
        var request = a.request()
        request.blocks = tampered
        let receipts = try fixture.hub.sync(request, from: a.registered).receipts
        #expect(receipts.count == tampered.count)
        #expect(receipts.allSatisfy { $0.verdict == .invalid && !$0.code.isEmpty && !$0.message.isEmpty })
        #expect(try fixture.blockCount == 0)
        request.blocks = [wire]
        #expect(try fixture.hub.sync(request, from: a.registered).receipts.map(\.verdict) == [.accepted])
    }

    @Test("an invalid block does not keep the others of its request out")
    func besideInvalid() throws {
        let blocks = try a.chain(2)
        var request = a.request(blocks)
        request.blocks.insert(WireBlock(), at: 1)
        let receipts = try fixture.hub.sync(request, from: a.registered).receipts
        #expect(receipts.map(\.verdict) == [.accepted, .invalid, .accepted])
    }

    @Test("a block whose predecessor is missing is held back, until that is there")
    func gap() throws {
        let blocks = try a.chain(3)
        #expect(try a.send([blocks[0], blocks[2]]).map(\.verdict) == [.accepted, .heldBack])
        #expect(try fixture.blockCount == 1)
        #expect(try a.send([blocks[2], blocks[1], blocks[2]]).map(\.verdict) == [.heldBack, .accepted, .accepted])
    }

    @Test("a block that pins one that is missing is held back, until that is there")
    func pins() throws {
        try a.insert("x")
        let first = try a.blocks()
        let registry: [RegistryFact] = [.replica(a.identity.replica, device: a.identity.key.publicKey)]
        let items = first.map { Delivery.Item(hash: $0.hash, block: $0, acceptance: nil) }
        _ = try b.store.take(Delivery(items: items, registry: registry), as: b.identity)
        try b.update("x", "by B")
        let own = try b.blocks().filter { $0.header.replica == b.identity.replica }
        #expect(try b.send(own).map(\.verdict) == [.heldBack])
        #expect(try fixture.blockCount == 0)
        #expect(try b.send(first + own).map(\.verdict) == [.accepted, .accepted], "anybody may bring anybody's blocks")
    }

    @Test("two blocks after one predecessor are both taken: somebody wrote on a copy")
    func fork() throws {
        try a.insert("x")
        let first = try a.blocks()
        try a.send(first)
        let copy = try fixture.device("copy")
        let clone = DeviceFixture(name: "A", store: copy.store, identity: a.identity, fixture: fixture)
        _ = try clone.store.take(
            Delivery(
                items: [Delivery.Item(hash: first[0].hash, block: first[0], acceptance: nil)],
                registry: [.replica(a.identity.replica, device: a.identity.key.publicKey)]), as: b.identity)
        try a.insert("here")
        try a.send(a.blocks())
        try clone.insert("there")
        let forked = try clone.blocks().filter { $0.hash != first[0].hash }
        #expect(try clone.send(forked).map(\.verdict) == [.accepted])
        try b.sync()
        #expect(try b.store.rows("SELECT id FROM note").count == 3)
        #expect(try b.store.verify(deep: true).problems == [])
    }

    @Test("a block of another organisation is invalid")
    func otherOrganisation() throws {
        try a.insert("x")
        let foreign = StoreIdentity(
            organisation: Hash256(1, 2, 3, 4), replica: a.identity.replica, key: a.identity.key)
        let blocks = try a.store.outbox(as: foreign, limitBytes: 1 << 20).blocks
        let receipts = try a.send(blocks)
        #expect(receipts.map(\.verdict) == [.invalid])
        #expect(receipts.map(\.code) == [ProtocolError.Code.wrongOrganisation.rawValue])
        #expect(try fixture.blockCount == 0)
    }

    @Test("a block whose writer is not registered is invalid")
    func unknownWriter() throws {
        let stranger = try fixture.device("stranger")
        try stranger.insert("x")
        let receipts = try a.send(stranger.blocks())
        #expect(receipts.map(\.code) == [ProtocolError.Code.unknownDevice.rawValue])
    }

    @Test("a block that continues another lane's is invalid")
    func brokenLink() throws {
        let mine = try a.chain(1)
        try a.send(mine)
        let builder = BodyBuilder()
        let table = builder.table("note", idType: .text, columns: ["title"])
        Array("x".utf8).withUnsafeBytes {
            builder.change(
                .insert, table: table, id: $0, clock: HybridClock(milliseconds: 1), columns: [], predecessors: [])
        }
        for (replica, channel, key, counter) in [
            (b.identity.replica, "org", b.identity.key, UInt64(2)), (a.identity.replica, "plan/1", a.identity.key, 2),
            (a.identity.replica, "org", a.identity.key, 3),
        ] {
            let draft = BlockDraft(
                organisation: fixture.organisation, channel: channel, replica: replica, officer: "",
                firstCounter: counter, previous: mine[0].hash, schemaVersion: 1, isGroupStart: true, isGroupEnd: true)
            let block = try BlockCodec().seal(builder, as: draft, key: key)
            #expect(try a.send([block]).map(\.code) == [ProtocolError.Code.brokenLink.rawValue])
        }
    }

    @Test(
        "a block of a channel that rows may not have is invalid",
        arguments: ["kenh/registry", "kenh/x", "kế hoạch", "a\nb"])
    func channels(_ channel: String) throws {
        let builder = BodyBuilder()
        let table = builder.table("note", idType: .text, columns: ["title"])
        Array("x".utf8).withUnsafeBytes {
            builder.change(
                .insert, table: table, id: $0, clock: HybridClock(milliseconds: 1), columns: [], predecessors: [])
        }
        let draft = BlockDraft(
            organisation: fixture.organisation, channel: channel, replica: a.identity.replica, officer: "",
            firstCounter: 1, previous: .zero, schemaVersion: 1, isGroupStart: true, isGroupEnd: true)
        let block = try BlockCodec().seal(builder, as: draft, key: a.identity.key)
        #expect(try a.send([block]).map(\.verdict) == [.invalid])
        #expect(try fixture.blockCount == 0)
    }

    @Test("who says to be another device's replica is refused, and nothing of the request is taken")
    func otherReplica() throws {
        var request = a.request(try a.chain(1))
        request.replica = Data(b.identity.replica.bytes)
        let error = #expect(throws: ProtocolError.self) { try fixture.hub.sync(request, from: a.registered) }
        #expect(error?.code == .forbidden)
        #expect(try fixture.blockCount == 0)
        request.replica = Data([1, 2, 3])
        #expect(throws: ProtocolError.self) { try fixture.hub.sync(request, from: a.registered) }
    }

    @Test("a device's new replica is entered with the request that brings it")
    func newReplica() throws {
        let fresh = try fixture.device("fresh")
        let again = DeviceFixture(
            name: "A", store: fresh.store,
            identity: StoreIdentity(
                organisation: fixture.organisation, replica: fresh.identity.replica, key: a.identity.key),
            fixture: fixture)
        try again.insert("x")
        #expect(try again.send(again.blocks()).map(\.verdict) == [.accepted])
        try b.sync()
        #expect(try b.store.authors()[fresh.identity.replica] == "A")
        #expect(try b.title("x") == "t")
    }

    @Test("versions and numbers that the centre does not serve are refused")
    func bounds() throws {
        var request = a.request()
        request.protocol = 2
        #expect(throws: ProtocolError(.unsupportedVersion, "")) { try fixture.hub.sync(request, from: a.registered) }
        request = a.request()
        request.blocks = [WireBlock](repeating: WireBlock(), count: Limits.blocksPerRequest + 1)
        #expect(throws: ProtocolError(.tooLarge, "")) { try fixture.hub.sync(request, from: a.registered) }
        request = a.request()
        request.cursors = [WireCursor](repeating: WireCursor(), count: Limits.cursorsPerRequest + 1)
        #expect(throws: ProtocolError(.tooLarge, "")) { try fixture.hub.sync(request, from: a.registered) }
    }
}
