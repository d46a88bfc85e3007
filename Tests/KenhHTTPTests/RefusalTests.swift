import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

@Suite("Requests that are refused")
struct RefusalTests {
    private let centre: Centre
    private let device: Device

    init() throws {
        centre = try Centre()
        device = try centre.joined(5)
    }

    /// The answer to a refusal is signed like any other.
    private func expect(
        _ message: Message, _ status: HTTPResponse.Status, _ code: ProtocolError.Code? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let response = try await centre.serve { try await $0.send(message) }
        #expect(response.status == status, sourceLocation: sourceLocation)
        guard let code else { return }
        let problem = try centre.problem(response, to: message)
        #expect(problem.code == code.rawValue && !problem.message.isEmpty, sourceLocation: sourceLocation)
        #expect(problem.timeMs == centre.clock.milliseconds, sourceLocation: sourceLocation)
    }

    private func good() throws -> Message { try device.syncMessage(device.sync()) }

    @Test("without a signature")
    func unsigned() async throws {
        for name in ["signature", "signature-input", "content-digest"] {
            var message = try good()
            message.remove(name)
            if name == "signature-input" { message.nonce = nil }
            let status = try await centre.serve { [message] in try await $0.send(message) }.status
            #expect(status == .badRequest || status == .unauthorized, "\(name)")
        }
    }

    @Test("with a body that does not come to its end, for which the centre is not at fault")
    func cutOff() async throws {
        let message = try good()
        try await centre.live { live in
            let line = try await Blocking.run { try SlowRequest(message, port: live.port).cutOff() }
            #expect(line == "HTTP/1.1 400 Bad Request")
        }
    }

    @Test("with a signature over something else, or by another key")
    func forged() async throws {
        var message = try good()
        message["signature"] = try good()["signature"]
        try await expect(message, .unauthorized, .badSignature)
        message = try good()
        message["content-digest"] = ContentDigest.header(for: [1])
        try await expect(message, .unauthorized, .badSignature)
        let stranger = try Device(seed: 9, organisation: centre.hub.identity.organisation)
        try await expect(try stranger.syncMessage(stranger.sync()), .forbidden, .unknownDevice)
        message = try stranger.syncMessage(stranger.sync())
        let key = device.key.publicKey.hex
        message["signature-input"] = message["signature-input"]
            .replacing(stranger.key.publicKey.hex, with: key)
        try await expect(message, .unauthorized, .badSignature)
    }

    @Test("with another body than was signed for")
    func otherBody() async throws {
        var message = try good()
        message.body = try WireCoding.encode(device.sync([try device.seal("Một")]))
        try await expect(message, .badRequest, .badDigest)
    }

    @Test("for another route than was signed for")
    func otherRoute() async throws {
        var message = try good()
        message.path = "/v1/enroll"
        try await expect(message, .unauthorized, .badSignature)
        message = try good()
        message.path = "/v1/sync?all=1"
        let status = try await centre.serve { [message] in try await $0.send(message) }.status
        #expect(status == .unauthorized)
    }

    @Test(
        "from another time, with a signed answer that tells the centre's",
        arguments: [-601, 601, -86_400 * 400, 86_400 * 4000])
    func stale(_ seconds: Int64) async throws {
        let message = try device.syncMessage(device.sync(), at: Centre.start + seconds * 1000)
        try await expect(message, .unauthorized, .staleRequest)
    }

    @Test("is not what is ten minutes off", arguments: [-599, 599])
    func inTime(_ seconds: Int64) async throws {
        try await expect(try device.syncMessage(device.sync(), at: Centre.start + seconds * 1000), .ok)
    }

    @Test("for another organisation")
    func organisation() async throws {
        let body = try WireCoding.encode(device.sync())
        for other in [String(repeating: "0", count: 64), ""] {
            try await expect(try device.message("/v1/sync", body, organisation: other), .forbidden, .wrongOrganisation)
        }
        var message = try good()
        message.remove("kenh-organisation")
        try await expect(message, .forbidden, .wrongOrganisation)
    }

    @Test("that declare more than is taken, before their bodies are read or their signatures checked")
    func tooLarge() async throws {
        for (path, limit) in [("/v1/sync", Limits.requestBytes), ("/v1/enroll", SyncAPI.enrollLimitBytes)] {
            var message = try device.message(path, [])
            message.body = nil
            message["content-length"] = String(limit + 1)
            try await expect(message, .contentTooLarge, .tooLarge)
            message.remove("signature")
            try await expect(message, .contentTooLarge, .tooLarge)
        }
        let body = [UInt8](repeating: 0, count: SyncAPI.enrollLimitBytes + 1)
        try await expect(try device.message("/v1/enroll", body), .contentTooLarge, .tooLarge)
        let fitting = [UInt8](repeating: 0, count: SyncAPI.enrollLimitBytes)
        try await expect(try device.message("/v1/enroll", fitting), .badRequest, .malformed)
    }

    @Test("that are no messages, or of another version")
    func malformed() async throws {
        for path in ["/v1/sync", "/v1/enroll"] {
            for body: [UInt8] in [[0xff], [0x0a, 0x05, 1], Array("{\"protocol\":1}".utf8)] {
                try await expect(try device.message(path, body), .badRequest, .malformed)
            }
        }
        var newer = device.sync()
        newer.protocol = 99
        try await expect(try device.syncMessage(newer), .upgradeRequired, .unsupportedVersion)
        var replica = device.sync([try device.seal("Một")])
        replica.replica = Data([1])
        try await expect(try device.syncMessage(replica), .badRequest, .malformed)
        let other = try centre.joined(6)
        var stolen = other.sync([try device.seal("Hai")])
        stolen.replica = Data(device.replica.bytes)
        try await expect(try other.syncMessage(stolen), .forbidden, .forbidden)
    }

    @Test("with another content type, even where it was signed for")
    func contentType() async throws {
        let body = try WireCoding.encode(device.sync())
        for type in ["application/json", "text/plain", "", "application/x-protobuf; charset=utf-8"] {
            try await expect(try device.message("/v1/sync", body, contentType: type), .badRequest, .malformed)
        }
    }

    @Test("at routes that are not there, or by another method")
    func routes() async throws {
        for path in ["/", "/v1", "/v1/", "/v2/sync", "/v1/nothing", "/v1/../healthz", "/healthz/x"] {
            var message = try good()
            message.path = path
            try await expect(message, .notFound)
        }
        for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
            var message = try good()
            message.method = method
            let status = try await centre.serve { [message] in try await $0.send(message) }.status
            #expect(status == .notFound || status == .methodNotAllowed, "\(method)")
        }
    }

    @Test("is not who asks for the centre's health")
    func health() async throws {
        try await expect(Message(method: "GET", path: "/healthz", headers: [], body: nil), .ok)
    }
}
