import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// What anybody may ask a centre.
@Suite("GET /v1/keys and /v1/time") struct KeyRouteTests {
    private let centre: Centre

    init() throws { centre = try Centre() }

    private func message(_ path: String, _ nonce: Nonce?) -> Message {
        Message(method: "GET", path: path, headers: [], body: nil, nonce: nonce)
    }

    private func ask(_ path: String, _ query: String, nonce: Nonce?) async throws -> [UInt8] {
        try await centre.serve { client in
            let response = try await client.send(message(path + query, nonce))
            #expect(response.status == .ok)
            return try centre.open(response, to: message(path, nonce))
        }
    }

    @Test("are answered to anybody, signed for the nonce that was asked with")
    func answers() async throws {
        var random = SeededGenerator(seed: 3)
        let nonce = Nonce(using: &random)
        let query =
            "?nonce=" + nonce.text.replacing("+", with: "%2B").replacing("/", with: "%2F").replacing("=", with: "%3D")
        let keys = try WireCoding.decode(WireKeysResponse.self, from: try await ask("/v1/keys", query, nonce: nonce))
        let certificates = try ServingCertificates(keys.certificates, root: PublicKey(bytes: keys.rootKey))
        #expect(certificates.root == centre.hub.identity.rootKey)
        #expect(certificates.newest.servingKey == centre.hub.identity.servingKey.publicKey)
        let time = try WireCoding.decode(WireTimeResponse.self, from: try await ask("/v1/time", query, nonce: nonce))
        #expect(time.timeMs == Centre.start)
        for query in ["", "?nonce=", "?nonce=short", "?other=1&nonce=%00"] {
            _ = try await ask("/v1/time", query, nonce: nil)
        }
    }
}
