import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

@Suite("POST /v1/enroll")
struct EnrolmentRouteTests {
    private let centre: Centre
    private let device: Device
    private let code: EnrolmentCode

    init() throws {
        centre = try Centre()
        device = try Device(seed: 5, organisation: centre.hub.identity.organisation)
        code = try centre.hub.issueCode(cell: "CB1")
    }

    private func send(_ message: Message) async throws -> (status: Int, body: [UInt8]) {
        let response = try await centre.serve { try await $0.send(message) }
        return (response.status.code, try centre.open(response, to: message))
    }

    /// Status and code of a refusal.
    private func refused(_ message: Message) async throws -> String {
        let (status, body) = try await send(message)
        return "\(status) \(try WireCoding.decode(WireProblem.self, from: body).code)"
    }

    @Test("without a proof it says who the centre is, and enters nobody")
    func hello() async throws {
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        var message = try device.message("/v1/enroll", try WireCoding.encode(request), organisation: "")
        let (status, body) = try await send(message)
        let answer = try WireCoding.decode(WireEnrollResponse.self, from: body)
        let root = try PublicKey(bytes: answer.rootKey)
        #expect(status == 200 && code.pins(rootKey: root) && answer.cell.isEmpty)
        let certificate = try ServingCertificate(answer.servingCertificate, root: root)
        #expect(certificate.servingKey == centre.hub.identity.servingKey.publicKey)
        #expect(try centre.hub.device(device.key.publicKey.bytes) == nil)
        message.remove("kenh-organisation")
        #expect(try await send(message).status == 200, "a device that knows no organisation yet sends no such header")
    }

    @Test("with a good proof it enters the device, and the same again gives the same answer")
    func proof() async throws {
        let request = try device.enrolment(with: code)
        var answers: [WireEnrollResponse] = []
        for _ in 0..<2 {
            let (status, body) = try await send(try device.enrolmentMessage(request))
            #expect(status == 200)
            answers.append(try WireCoding.decode(WireEnrollResponse.self, from: body))
        }
        #expect(answers[0] == answers[1] && answers[0].cell == "CB1" && answers[0].cellName == "Chi bộ 1")
        #expect(try centre.hub.device(device.key.publicKey.bytes)?.cell == "CB1")
        #expect(centre.appends.withLock { $0 } == 2, "the view is told")
    }

    @Test("refuses codes that are wrong, used by another device, or too old, and enters nobody")
    func codes() async throws {
        var wrong = try device.enrolment(with: code)
        wrong.proof[0] ^= 1
        #expect(try await refused(try device.enrolmentMessage(wrong)) == "403 codeUnknown")
        var unknown = try device.enrolment(with: code)
        unknown.codeID[0] ^= 1
        #expect(try await refused(try device.enrolmentMessage(unknown)) == "403 codeUnknown")
        let other = try Device(seed: 6, organisation: centre.hub.identity.organisation)
        #expect(try await send(try other.enrolmentMessage(try other.enrolment(with: code))).status == 200)
        #expect(try await refused(try device.enrolmentMessage(try device.enrolment(with: code))) == "403 codeUsed")
        let late = try centre.hub.issueCode(cell: "CB1")
        centre.clock.advance(milliseconds: Hub.codeLifetimeMilliseconds + 1)
        let message = try device.message(
            "/v1/enroll", try WireCoding.encode(try device.enrolment(with: late)), at: centre.clock.milliseconds)
        #expect(try await refused(message) == "403 codeExpired")
        #expect(try centre.hub.device(device.key.publicKey.bytes) == nil)
    }

    @Test("refuses to enter a key that did not sign the request, or did not ask for it itself")
    func keys() async throws {
        let other = try Device(seed: 6, organisation: centre.hub.identity.organisation)
        let request = try device.enrolment(with: code)
        #expect(try await refused(try other.enrolmentMessage(request)) == "401 badSignature")
        var unwilling = request
        unwilling.countersignature[3] ^= 1
        #expect(try await refused(try device.enrolmentMessage(unwilling)) == "401 badSignature")
        var short = request
        short.replica = Data([1, 2, 3])
        #expect(try await refused(try device.enrolmentMessage(short)) == "400 malformed")
        var weak = request
        weak.deviceKey = Data(repeating: 0, count: 32)
        #expect(try await refused(try device.enrolmentMessage(weak)) == "401 badSignature")
        #expect(try centre.hub.device(device.key.publicKey.bytes) == nil)
        #expect(try await send(try device.enrolmentMessage(request)).status == 200, "the code is still good")
    }
}
