import Foundation
import KenhMerge
import KenhProtocol

extension CentreClient {
    /// What the centre says of its keys, as far as the organisation's root key vouches for it: `GET /v1/keys`. Asked by
    /// whoever has not heard of the centre's key of now, after a year away, say.
    ///
    /// - Throws: ``CellError``; `ProtocolError` where a certificate is not the root key's.
    public func certificates(root: PublicKey) throws -> ServingCertificates {
        let body = try get("/v1/keys") { body in
            guard let response = try? WireCoding.decode(WireKeysResponse.self, from: body) else { return nil }
            return try ServingCertificates(response.certificates, root: root).newest.servingKey
        }
        return try ServingCertificates(
            WireCoding.decode(WireKeysResponse.self, from: body).certificates, root: root)
    }

    /// The centre's clock, milliseconds since 1970: `GET /v1/time`. Good also for whoever has no idea of the time.
    public func time(centre: PublicKey) throws -> Int64 {
        let body = try get("/v1/time") { _ in centre }
        return try WireCoding.decode(WireTimeResponse.self, from: body).timeMs
    }

    /// Enters this client's key in the place of the one that the device had: `POST /v1/enroll` without a code.
    ///
    /// - Parameter replica: the first of the new key's.
    public func replace(
        _ old: SigningKey, replica: ReplicaID, deviceName: String, centre: PublicKey, organisation: Hash256
    ) throws -> WireEnrollResponse {
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = deviceName
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        request.replaces = Data(old.publicKey.bytes)
        let replacement = Enrolment.replacement(
            organisation: organisation, of: old.publicKey, by: key.publicKey, replica: replica)
        request.replacement = Data(try old.sign(replacement, domain: .deviceReplacement))
        let body = try WireCoding.encode(request)
        let reply = try send(path: "/v1/enroll", body: body, limit: 1 << 20, key: { _ in centre })
        return try WireCoding.decode(WireEnrollResponse.self, from: reply)
    }

    /// Nobody has to sign what anybody may ask; the answer is signed for the nonce all the same.
    private func get(_ path: String, key: ([UInt8]) throws -> PublicKey?) throws -> [UInt8] {
        var random = makeRandom()
        let nonce = Nonce(using: &random)
        let call = HTTPCall(method: "GET", path: path, query: [("nonce", nonce.text)], bodyLimitBytes: 1 << 20)
        let answer = try CentreAnswer(try reply(to: call), to: call, nonce: nonce, serverKey: key)
        guard answer.status == 200 else { throw answer.failure }
        return answer.body
    }
}

extension CentreClient {
    /// Takes up the keys that the centre has been given since the store last heard of it.
    ///
    /// - Returns: what counts from now on; nil where the centre says nothing that the store does not know.
    /// - Throws: ``CellError`` with code `notTheCentre` where the centre signs with a key that was replaced.
    public func renewed(_ known: ServingCertificates) throws -> ServingCertificates? {
        let shown = try certificates(root: known.root)
        let joined = try known.joined(with: shown.signed)
        guard joined.newest == shown.newest else {
            throw CellError(
                .notTheCentre,
                "the centre signs with a key that was replaced since: it was restored from an older copy; its administrator "
                    + "has to restore keys/serving.key as well, or to run kenh central key rotate",
                recovery: .askAPerson)
        }
        return joined == known ? nil : joined
    }
}
