import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Devices from which nothing is taken any more, and what they still hand in.
@Suite("A revoked device") struct RevocationTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }
    private var key: PublicKey { a.identity.key.publicKey }

    init() throws {
        fixture = try HubFixture()
        try a.insert("before", "sent")
        for device in [a, b, a] { try device.syncWhole() }
    }

    @Test("gets nothing, and what it hands in is kept aside, out of its own store's sight and everybody's")
    func handsIn() throws {
        try fixture.hub.revoke(key, reason: "stolen")
        try a.insert("after", "unsent")
        let entries = try fixture.heads
        #expect(throws: ProtocolError(.revoked, "")) {
            try fixture.hub.sync(a.request(a.blocks()), from: a.registered)
        }
        #expect(try fixture.heads == entries, "nothing is in the log")
        #expect(try fixture.hub.quarantined().map(\.hash) == a.blocks().map(\.hash))
        #expect(try fixture.hub.quarantined(of: b.identity.key.publicKey).isEmpty)
        #expect(throws: ProtocolError(.revoked, "")) {
            try fixture.hub.sync(a.request(a.blocks()), from: a.registered)
        }
        #expect(try fixture.hub.quarantined().count == 1, "the same again is one")
        #expect(try a.store.status().unsentBlocks == 1, "the device has not lost it")
        try b.syncWhole()
        #expect(try b.title("after") == nil && b.title("before") == .text("sent"))
    }

    @Test("neither compares logs, nor is shown an entry, nor asks again with its old key")
    func elsewhere() throws {
        try fixture.hub.revoke(key, reason: "stolen")
        var proof = WireProofRequest()
        proof.protocol = Limits.protocolVersion
        proof.entry.channel = ChannelName.registry
        proof.entry.sequence = 1
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.proof(proof, for: a.registered) }
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(a.identity.replica.bytes)
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.reconcile(request, from: key) }
        let code = try fixture.hub.issueCode(cell: "A")
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.enrol(a, code: code) }
        #expect(throws: HubError(.deviceUnknown, "")) { try fixture.hub.revoke(fixture.root.publicKey, reason: "") }
    }

    @Test("is heard through nobody else, either; a person may let its work in, and then everybody has it")
    func accepted() throws {
        try a.insert("after", "unsent")
        try a.update("before", "changed")
        let blocks = try a.blocks()
        try fixture.hub.revoke(key, reason: "lent to somebody")
        let receipts = try b.send(blocks)
        #expect(receipts.map(\.verdict) == [.quarantined] && receipts.map(\.code) == ["revoked"])
        #expect(receipts[0].message.isEmpty == false)

        let none = try fixture.hub.acceptQuarantined { _ in false }
        #expect(none.accepted == 0 && none.refusals == [])
        let report = try fixture.hub.acceptQuarantined { _ in true }
        #expect(report.accepted == 1 && report.refusals == [])
        #expect(try fixture.hub.quarantined().isEmpty)
        try b.syncWhole()
        #expect(try b.title("after") == .text("unsent") && b.title("before") == .text("changed"))
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [])
    }

    @Test("may have begun a new life that nobody had heard of")
    func newLife() throws {
        let clone = try a.clone()
        try a.insert("x")
        try a.syncWhole()
        try clone.insert("y")
        try clone.syncWhole()
        try fixture.hub.revoke(key, reason: "stolen")
        try clone.insert("z")
        let outbox = try clone.store.outbox(as: clone.identity, limitBytes: 1 << 20)
        var request = clone.request(outbox.blocks)
        request.replica = Data(outbox.replica.bytes)
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.sync(request, from: clone.registered) }
        #expect(try fixture.hub.quarantined().count == outbox.blocks.count && !outbox.blocks.isEmpty)
        #expect(try fixture.hub.acceptQuarantined { _ in true }.accepted == outbox.blocks.count)
    }

    @Test("what was dropped is gone, and what builds on it stays out")
    func dropped() throws {
        try a.insert("x")
        let first = try a.blocks()
        try a.insert("y")
        let both = try a.blocks()
        try fixture.hub.revoke(key, reason: "stolen")
        try b.send(both)
        #expect(try fixture.hub.dropQuarantined { $0.hash == first[0].hash }.dropped == 1)
        let report = try fixture.hub.acceptQuarantined { _ in true }
        #expect(report.accepted == 0 && report.refusals.count == 1)
        #expect(try fixture.hub.quarantined().count == 1)
    }

    @Test("what the centre had taken before comes back after a restore of the centre")
    func restored() throws {
        try fixture.backUpLog()
        try a.insert("taken")
        for device in [a, b] { try device.syncWhole() }
        fixture.clock.advance(milliseconds: 1000)
        try fixture.hub.revoke(key, reason: "stolen")
        try b.syncWhole()
        try fixture.restoreLog()
        try b.syncWhole()
        #expect(try fixture.hub.devices().first { $0.key == key }?.revokedAtMilliseconds != nil, "B handed that back")
        #expect(try fixture.hub.quarantined().isEmpty)
        try b.syncWhole()
        #expect(try b.title("taken") != nil)
        #expect(try fixture.blockCount == 2)
    }

    @Test("forged blocks are not kept aside, nor more than the quarantine holds")
    func bounds() throws {
        try a.insert("x")
        var wire = try a.blocks()[0].wire
        try fixture.hub.revoke(key, reason: "stolen")
        wire.deviceSignature[0] ^= 1
        var request = b.request()
        request.blocks = [wire]
        #expect(try fixture.hub.sync(request, from: b.registered).receipts.map(\.verdict) == [.invalid])
        #expect(try fixture.hub.quarantined().isEmpty)
    }
}
