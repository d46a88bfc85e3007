import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// New keys, of the centre and of devices.
@Suite("A new key") struct KeyTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws {
        fixture = try HubFixture()
        try a.insert("before", "under the first key")
        for device in [a, b] { try device.syncWhole() }
    }

    private func certificate(_ key: SigningKey, from begins: Int64, root: SigningKey? = nil) throws
        -> WireSignedStatement
    {
        try ServingCertificate(
            organisation: fixture.organisation, servingKey: key.publicKey, notBeforeMilliseconds: begins,
            notAfterMilliseconds: .max, name: "Test"
        ).signed(by: root ?? fixture.root)
    }

    private func key(_ seed: UInt64) throws -> SigningKey {
        var random = SeededGenerator(seed: seed)
        return try SigningKey(using: &random)
    }

    /// The centre with a key that takes the place of those it had.
    private func rotated(to key: SigningKey, at begins: Int64, before: [WireSignedStatement]? = nil) throws -> Hub {
        let known = try before ?? fixture.hub.keys().certificates
        let all = try ServingCertificates(
            known + [certificate(key, from: begins)], root: fixture.root.publicKey)
        let identity = try #require(HubIdentity(all, servingKey: key))
        let hub = Hub(log: fixture.log, identity: identity, clock: { [clock = fixture.clock] in clock.milliseconds })
        try hub.stateServingKey()
        return hub
    }

    private func keys(of hub: Hub) throws -> ServingCertificates {
        try ServingCertificates(hub.keys().certificates, root: fixture.root.publicKey)
    }

    // MARK: the centre's

    @Test("of the centre's is stated in its log once, and all that was signed before still counts")
    func rotation() throws {
        let second = try key(2)
        let hub = try rotated(to: second, at: 1000)
        let entries = try fixture.heads
        try hub.stateServingKey()
        #expect(try fixture.heads == entries, "the same again says nothing")
        #expect(try keys(of: hub).keys == ServingKeys(second.publicKey, earlier: [fixture.serving.publicKey]))
        fixture.use(hub)
        #expect(throws: ProtocolError(.badSignature, "")) { try a.syncWhole() }
        try a.insert("after", "under the second key")
        for device in [a, b] { try device.syncWhole(centre: keys(of: hub).keys) }
        #expect(try b.title("after") == "under the second key")
        let newcomer = try fixture.device("A")
        try fixture.enrol(newcomer, code: hub.issueCode(cell: "A"))
        try newcomer.syncWhole(centre: keys(of: hub).keys)
        #expect(try newcomer.title("before") == "under the first key")
        #expect(try LogVerifier(identity: hub.identity).verify(fixture.log).problems == [])
    }

    @Test("is taken up by a centre that is running, which signs nothing more with the old one")
    func running() throws {
        let second = try key(2)
        let first = fixture.hub
        let hub = try rotated(to: second, at: 1000)
        #expect(throws: HubError(.keyReplaced, "")) { try first.addCell(code: "C", name: "C") }
        let running = Hub(
            log: fixture.log, identity: first.identity, clock: { 0 }, readIdentity: { hub.identity })
        try running.refreshIdentity()
        #expect(running.identity.servingKey.publicKey == second.publicKey)
        try running.addCell(code: "C", name: "C")
        let forgetful = Hub(
            log: fixture.log, identity: first.identity, clock: { 0 }, readIdentity: { first.identity })
        #expect(throws: HubError(.keyReplaced, "")) { try forgetful.refreshIdentity() }
    }

    @Test("that a restored centre has forgotten is taken from its cells again, with all that was signed with it")
    func restored() throws {
        let (second, third) = (try key(2), try key(3))
        let first = try fixture.hub.keys().certificates
        try fixture.backUpLog()
        let hub = try rotated(to: second, at: 1000)
        fixture.use(hub)
        try a.insert("after", "under the second key")
        let known = try keys(of: hub)
        try a.store.keep(known)
        try a.syncWhole(centre: known.keys)
        let acceptance = try fixture.acceptance(of: #require(try a.store.block(a.hashes()[1])))

        try fixture.restoreLog()
        // With its key of before it is told what to do.
        fixture.use(Hub(log: fixture.log, identity: HubIdentity.first(fixture, first[0]), clock: { HubFixture.start }))
        #expect(throws: CellError(.diverged, "", recovery: .stop)) { try a.syncWhole(centre: known.keys) }
        let healed = try rotated(to: third, at: 2000, before: first)
        fixture.use(healed)
        let renewed = try known.joined(with: healed.keys().certificates)
        try a.store.keep(renewed)
        try a.syncWhole(centre: renewed.keys)
        #expect(try healed.keys().certificates.count == 3)
        let again = try fixture.acceptance(of: #require(try a.store.block(a.hashes()[1])))
        #expect(again?.acceptedAtMilliseconds == acceptance?.acceptedAtMilliseconds)
        try b.syncWhole(centre: renewed.keys)
        #expect(try b.title("after") == "under the second key")
        #expect(try LogVerifier(identity: healed.identity).verify(fixture.log).problems == [])
    }

    @Test("is shown by the audit file; an entry of a key that had given way is named")
    func audit() throws {
        let hub = try rotated(to: key(2), at: 1000)
        try hub.addCell(code: "C", name: "C")
        let report = try verify(export(hub))
        #expect(report.problems == [])
        #expect(report.text.contains("new key      the centre on "))
        // As somebody would who has the old key and its centre.
        let again = try ServingCertificates(
            [certificate(fixture.serving, from: 2000), certificate(key(2), from: 1000)], root: fixture.root.publicKey)
        let identity = try #require(HubIdentity(again, servingKey: fixture.serving))
        try Hub(log: fixture.log, identity: identity, clock: { 0 }).addCell(code: "D", name: "D")
        let problems = try verify(export(hub)).problems
        #expect(problems.contains { $0.contains("is not what the centre signed") }, "\(problems)")
    }

    private func export(_ hub: Hub) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: hub, checkpoints: []).run { bytes += $0 }
        return bytes
    }

    private func verify(_ bytes: [UInt8]) throws -> AuditReport {
        let path = fixture.directory.appending(path: "keys.audit")
        try Data(bytes).write(to: path)
        let file = try FileHandle(forReadingFrom: path)
        defer { try? file.close() }
        return try AuditVerifier(organisation: fixture.organisation, notes: []).verify(file)
    }

    @Test("counts where the root key certified it, and is told apart from an older one by when it begins")
    func certificates() throws {
        let (second, third) = (try key(2), try key(3))
        let good = try [certificate(second, from: 5), certificate(third, from: 3)]
        let both = try ServingCertificates(good, root: fixture.root.publicKey)
        #expect(both.keys == ServingKeys(second.publicKey, earlier: [third.publicKey]))
        #expect(try both.joined(with: good) == both)
        let stranger = try certificate(third, from: 9, root: second)
        #expect(throws: ProtocolError(.badSignature, "")) { try both.joined(with: [stranger]) }
        #expect(throws: ProtocolError(.malformed, "")) {
            try ServingCertificates([], root: fixture.root.publicKey)
        }
        let many = try (0...Limits.servingKeys).map { try certificate(second, from: Int64($0)) }
        #expect(throws: ProtocolError(.malformed, "")) { try ServingCertificates(many, root: fixture.root.publicKey) }
    }

    // MARK: a device's

    private func replacement(
        of old: DeviceFixture, by key: SigningKey, signedBy signer: SigningKey? = nil
    ) throws -> WireEnrollRequest {
        var random = SeededGenerator(seed: 9)
        let replica = ReplicaID.random(using: &random)
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.replaces = Data(old.identity.key.publicKey.bytes)
        let claim = Enrolment.claim(organisation: fixture.organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        let replacement = Enrolment.replacement(
            organisation: fixture.organisation, of: old.identity.key.publicKey, by: key.publicKey, replica: replica)
        request.replacement = Data(
            try (signer ?? old.identity.key).sign(replacement, domain: .deviceReplacement))
        return request
    }

    @Test("of a device's takes the place of the old one, which ends once the new one is used")
    func device() throws {
        let new = try key(4)
        let request = try replacement(of: a, by: new)
        #expect(try fixture.hub.enroll(request).cell == "A")
        let entries = try fixture.heads
        #expect(try fixture.hub.enroll(request).cell == "A")
        #expect(try fixture.heads == entries, "the same again says nothing")
        try a.insert("meanwhile", "under the old key")
        try a.syncWhole()
        let replica = try #require(ReplicaID(bytes: request.replica))
        #expect(try a.store.switchDevice(to: new.publicKey, replica: replica))
        #expect(throws: StoreError(.keyReplaced, "")) { try a.syncWhole() }
        let renewed = a.with(key: new)
        try renewed.insert("after", "under the new key")
        try renewed.syncWhole()
        for device in [renewed, b] { try device.syncWhole() }
        #expect(try b.title("meanwhile") == "under the old key" && b.title("after") == "under the new key")
        let old = try #require(try fixture.hub.device(a.identity.key.publicKey.bytes))
        #expect(old.revokedAtMilliseconds != nil)
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.sync(a.request(), from: old) }
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.enroll(replacement(of: a, by: key(5))) }
        #expect(try fixture.hub.enroll(request).cell == "A", "who lost the answer gets it again")
        #expect(try renewed.store.verify(deep: true).problems == [])
    }

    @Test("of a device's is not entered without both keys' signatures, nor in the place of one that is not there")
    func refused() throws {
        let (new, other) = (try key(4), try key(5))
        #expect(throws: ProtocolError(.badSignature, "")) {
            try fixture.hub.enroll(replacement(of: a, by: new, signedBy: other))
        }
        var unsigned = try replacement(of: a, by: new)
        unsigned.countersignature = unsigned.replacement
        #expect(throws: ProtocolError(.badSignature, "")) { try fixture.hub.enroll(unsigned) }
        #expect(throws: ProtocolError(.unknownDevice, "")) {
            try fixture.hub.enroll(replacement(of: fixture.device("A"), by: new))
        }
        #expect(throws: ProtocolError(.forbidden, "")) {
            try fixture.hub.enroll(replacement(of: a, by: b.identity.key))
        }
        try fixture.hub.revoke(a.identity.key.publicKey, reason: "stolen")
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.enroll(replacement(of: a, by: new)) }
    }

    @Test("of a device's waits until all is sent that the old one sealed")
    func unsent() throws {
        let new = try key(4)
        _ = try fixture.hub.enroll(replacement(of: a, by: new))
        try a.insert("unsent")
        _ = try a.blocks()
        var random = SeededGenerator(seed: 9)
        #expect(try !a.store.switchDevice(to: new.publicKey, replica: .random(using: &random)))
        try a.syncWhole()
        #expect(try a.store.deviceKey() == nil)
    }
}

extension HubIdentity {
    fileprivate static func first(_ fixture: HubFixture, _ certificate: WireSignedStatement) -> HubIdentity {
        HubIdentity(
            rootKey: fixture.root.publicKey, certificate: certificate, servingKey: fixture.serving)
    }
}
