import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct EnrolmentTests {
    private let fixture: HubFixture
    private let device: DeviceFixture

    init() throws {
        fixture = try HubFixture(["A"])
        try fixture.hub.addCell(code: "B", name: "Chi bộ 3")
        device = try fixture.device("new")
    }

    private func refusal(_ request: WireEnrollRequest) -> ProtocolError.Code? {
        do {
            _ = try fixture.hub.enroll(request)
            return nil
        } catch { return (error as? ProtocolError)?.code }
    }

    @Test("without a proof the centre says who it is, and nothing else")
    func hello() throws {
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        let answer = try fixture.hub.enroll(request)
        let root = try PublicKey(bytes: answer.rootKey)
        #expect(try fixture.hub.issueCode(cell: "B").pins(rootKey: root))
        let certificate = try ServingCertificate(answer.servingCertificate, root: root)
        #expect(certificate.servingKey == fixture.serving.publicKey)
        #expect(answer.timeMs == HubFixture.start)
        #expect(answer.cell.isEmpty && answer.cellName.isEmpty)
    }

    @Test("a device with the right code is entered, with its cell and its replica")
    func rightCode() throws {
        let answer = try fixture.enrol(device, code: fixture.hub.issueCode(cell: "B"))
        #expect(answer.cell == "B" && answer.cellName == "Chi bộ 3")
        let known = try #require(try fixture.hub.device(device.identity.key.publicKey.bytes))
        #expect(known == RegisteredDevice(key: device.identity.key.publicKey, cell: "B", name: "new"))
        try device.insert("x")
        #expect(try device.send(device.blocks()).map(\.verdict) == [.accepted])
        try device.sync()
        #expect(try device.store.authors()[device.identity.replica] == "B")
    }

    @Test("a code that nobody gave out is unknown")
    func unknownCode() throws {
        var random = SeededGenerator(seed: 99)
        let code = EnrolmentCode(organisation: fixture.organisation, using: &random)
        #expect(try refusal(fixture.request(device, code: code)) == .codeUnknown)
    }

    @Test("any wrong bit in proof or code id is refused, and the code stays good for who has it")
    func wrongProof() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        let good = try fixture.request(device, code: code)
        let before = try fixture.heads
        for bit in stride(from: 0, to: good.proof.count * 8, by: 5) {
            var bad = good
            bad.proof[bad.proof.startIndex + bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(refusal(bad) == .codeUnknown)
        }
        for bad in [Data(), Data(good.codeID.dropLast()), good.codeID + [0]] {
            var request = good
            request.codeID = bad
            #expect(refusal(request) == .codeUnknown)
        }
        #expect(try fixture.heads == before)
        #expect(refusal(good) == nil)
    }

    @Test("a proof for another device or another replica is none")
    func otherProof() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        let good = try fixture.request(device, code: code)
        let other = try fixture.request(fixture.device("other"), code: code)
        var mixed = good
        mixed.deviceKey = other.deviceKey
        #expect(refusal(mixed) == .codeUnknown)
        mixed = good
        mixed.replica = other.replica
        #expect(refusal(mixed) == .codeUnknown)
    }

    @Test("a code that was used is no good to another device")
    func usedCode() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        try fixture.enrol(device, code: code)
        #expect(try refusal(fixture.request(fixture.device("thief"), code: code)) == .codeUsed)
    }

    @Test("the same device gets the same answer again, also after seven days, and is entered once")
    func again() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        let first = try fixture.enrol(device, code: code)
        let heads = try fixture.heads
        fixture.clock.advance(milliseconds: Hub.codeLifetimeMilliseconds * 2)
        let second = try fixture.enrol(device, code: code)
        #expect(first.cell == second.cell && first.cellName == second.cellName)
        #expect(first.servingCertificate == second.servingCertificate)
        #expect(try fixture.heads == heads)
    }

    @Test("a code is good for seven days and no longer")
    func expired() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        fixture.clock.advance(milliseconds: Hub.codeLifetimeMilliseconds + 1)
        #expect(try refusal(fixture.request(device, code: code)) == .codeExpired)
        fixture.clock.advance(milliseconds: -1)
        #expect(try refusal(fixture.request(device, code: code)) == nil)
    }

    @Test("a device that did not sign its enrolment is not entered, and its code stays unused")
    func countersignature() throws {
        let code = try fixture.hub.issueCode(cell: "B")
        var request = try fixture.request(device, code: code)
        request.countersignature = try fixture.request(fixture.device("other"), code: code).countersignature
        #expect(refusal(request) == .badSignature)
        #expect(try fixture.hub.device(device.identity.key.publicKey.bytes) == nil)
        #expect(try refusal(fixture.request(device, code: code)) == nil)
    }

    @Test("keys and ids of a wrong form are refused")
    func malformed() throws {
        var request = try fixture.request(device, code: fixture.hub.issueCode(cell: "B"))
        request.deviceKey = Data(repeating: 0, count: 32)
        #expect(refusal(request) == .badKey)
        request = try fixture.request(device, code: fixture.hub.issueCode(cell: "B"))
        request.replica.removeLast()
        #expect(refusal(request) == .malformed)
    }

    @Test("nobody takes over another device's replica, nor changes its cell by a second code")
    func takenOver() throws {
        let owner = fixture["A"]
        let stolen = DeviceFixture(
            name: "thief", store: device.store,
            identity: StoreIdentity(
                organisation: fixture.organisation, replica: owner.identity.replica, key: device.identity.key),
            fixture: fixture)
        #expect(try refusal(fixture.request(stolen, code: fixture.hub.issueCode(cell: "B"))) == .forbidden)
        #expect(try fixture.hub.device(device.identity.key.publicKey.bytes) == nil, "nothing of it was kept")
        let code = try fixture.hub.issueCode(cell: "B")
        #expect(try refusal(fixture.request(owner, code: code)) == .forbidden)
        #expect(try fixture.enrol(device, code: code).cell == "B", "the code was not used up")
    }

    @Test("a second code for the same cell enters a device's new replica")
    func newReplica() throws {
        let owner = fixture["A"]
        let again = DeviceFixture(
            name: "A", store: device.store,
            identity: StoreIdentity(
                organisation: fixture.organisation, replica: device.identity.replica, key: owner.identity.key),
            fixture: fixture)
        #expect(try fixture.enrol(again, code: fixture.hub.issueCode(cell: "A")).cell == "A")
        try again.insert("x")
        #expect(try again.send(again.blocks()).map(\.verdict) == [.accepted])
    }

    @Test("cells have codes that are plain and used once")
    func cells() throws {
        for (code, expected): (String, HubError.Code) in [
            ("", .badCellCode), ("Chi bộ", .badCellCode), (String(repeating: "x", count: 33), .badCellCode),
            ("A", .cellExists),
        ] {
            let error = #expect(throws: HubError.self) { try fixture.hub.addCell(code: code, name: "n") }
            #expect(error?.code == expected)
        }
        let error = #expect(throws: HubError.self) { try fixture.hub.issueCode(cell: "none") }
        #expect(error?.code == .cellUnknown)
        #expect(try fixture.enrol(device, code: fixture.hub.issueCode(cell: "B")).cell == "B")
    }
}
