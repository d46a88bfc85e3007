import Foundation
import KenhMerge
import KenhProtocol

/// Speaks to the centre: signs requests with the device's key and takes no answer that the centre did not sign for
/// just that request.
public struct CentreClient: Sendable {
    public static let contentType = "application/x-protobuf"

    /// Whose answers are believed.
    public enum Trust: Sendable {
        /// The centre's serving key, as it was learnt at enrolment.
        case servingKey(PublicKey)
        /// Before enrolment: whoever shows a certificate of the root key that the code pins.
        case code(EnrolmentCode)
    }

    private let transport: any HTTPTransport
    let key: SigningKey
    private let organisation: Hash256?
    private let clock: @Sendable () -> Int64
    let makeRandom: @Sendable () -> any RandomNumberGenerator

    /// - Parameters:
    ///   - clock: milliseconds since 1970, as near to the centre's time as this device knows.
    ///   - random: where nonces come from; must be one that nobody can foresee.
    public init(
        transport: any HTTPTransport, key: SigningKey, organisation: Hash256?,
        clock: @escaping @Sendable () -> Int64,
        random: @escaping @Sendable () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() }
    ) {
        self.transport = transport
        self.key = key
        self.organisation = organisation
        self.clock = clock
        makeRandom = random
    }

    public func sync(_ request: WireSyncRequest, centre: PublicKey) throws -> WireSyncResponse {
        let body = try WireCoding.encode(request)
        let reply = try send(path: "/v1/sync", body: body, limit: Limits.requestBytes, key: { _ in centre })
        return try WireCoding.decode(WireSyncResponse.self, from: reply)
    }

    public func reconcile(_ request: WireReconcileRequest, centre: PublicKey) throws -> WireReconcileResponse {
        let body = try WireCoding.encode(request)
        let reply = try send(path: "/v1/reconcile", body: body, limit: Limits.requestBytes, key: { _ in centre })
        return try WireCoding.decode(WireReconcileResponse.self, from: reply)
    }

    /// Asks who is there, checks it against the code, then proves the code and enters this device.
    ///
    /// - Parameter onTrust: called once the centre has shown that it made the code, before the code is used up; keep the
    ///   key and the replica there, since only they are given the same answer again.
    public func enroll(
        code: EnrolmentCode, replica: ReplicaID, deviceName: String, onTrust: () throws -> Void = {}
    ) throws -> (centre: ServingCertificate, root: PublicKey, response: WireEnrollResponse) {
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        let hello = try enrollOnce(request, code: code, known: nil)
        try onTrust()
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = deviceName
        let organisation = hello.root.organisationFingerprint
        request.proof = Data(code.proof(organisation: organisation, deviceKey: key.publicKey, replica: replica))
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        return try enrollOnce(request, code: code, known: hello.centre.servingKey)
    }

    /// - Parameter known: the centre's serving key; nil where its answer has to show it first.
    private func enrollOnce(
        _ request: WireEnrollRequest, code: EnrolmentCode, known: PublicKey?
    ) throws -> (centre: ServingCertificate, root: PublicKey, response: WireEnrollResponse) {
        let body = try WireCoding.encode(request)
        // Nothing is proved or given away by the first request, so the time for it may be anybody's word.
        let reply = try send(path: "/v1/enroll", body: body, limit: 1 << 20, believesAnyTime: known == nil) { body in
            try known ?? Self.certificate(in: body, code: code)?.certificate.servingKey
        }
        guard let found = try Self.certificate(in: reply, code: code) else { throw Self.notTheCentre }
        return (found.certificate, found.root, try WireCoding.decode(WireEnrollResponse.self, from: reply))
    }

    /// The serving key that the answer itself certifies, if the code pins its root.
    private static func certificate(
        in body: [UInt8], code: EnrolmentCode
    ) throws -> (certificate: ServingCertificate, root: PublicKey)? {
        guard let response = try? WireCoding.decode(WireEnrollResponse.self, from: body),
            response.hasServingCertificate
        else { return nil }
        let root = try PublicKey(bytes: response.rootKey)
        guard code.pins(rootKey: root) else {
            throw CellError(
                .notTheCentre,
                "the centre at this address is not the one that made the code; check the URL, then ask for a new code",
                recovery: .askAPerson)
        }
        return (try ServingCertificate(response.servingCertificate, root: root), root)
    }

    private static let notTheCentre = CellError(
        .notTheCentre, "what answers at this address is no Kenh centre; check the URL", recovery: .askAPerson)

    // MARK: one signed exchange

    /// A request before it is signed.
    struct Request {
        var method = "POST"
        var path: String
        var query: [(String, String)] = []
        var contentType = CentreClient.contentType
        /// Nil where there is none, and so neither type nor digest.
        var body: [UInt8]?
        /// Of the answer.
        var limitBytes: Int
    }

    func send(
        path: String, body: [UInt8], limit: Int, believesAnyTime: Bool = false, key: ([UInt8]) throws -> PublicKey?
    ) throws -> [UInt8] {
        let request = Request(path: path, body: body, limitBytes: limit)
        let answer = try answer(to: request, believesAnyTime: believesAnyTime, key: key)
        guard answer.status == 200 else { throw answer.failure }
        return answer.body
    }

    /// The answer, whatever its status.
    func answer(
        to request: Request, believesAnyTime: Bool = false, key: ([UInt8]) throws -> PublicKey?
    ) throws -> CentreAnswer {
        let first = try exchange(request, offset: 0, key)
        guard first.status != 200, let offset = offset(in: first, believesAnyTime: believesAnyTime) else {
            return first
        }
        return try exchange(request, offset: offset, key)
    }

    /// What this clock lacks to the centre's, where an answer refuses a request for its time; nil of every other.
    ///
    /// A wrong clock is no reason to fail: the centre says in a signed answer what time it is.
    func offset(in answer: CentreAnswer, believesAnyTime: Bool = false) -> Int64? {
        guard let problem = answer.problem, problem.code == ProtocolError.Code.staleRequest.rawValue,
            answer.isSigned || believesAnyTime
        else { return nil }
        let (offset, isAbsurd) = problem.timeMs.subtractingReportingOverflow(clock())
        return isAbsurd ? nil : offset
    }

    private func exchange(
        _ request: Request, offset: Int64, _ serverKey: ([UInt8]) throws -> PublicKey?
    ) throws -> CentreAnswer {
        let (call, nonce) = try signed(request, offset: offset)
        return try CentreAnswer(try reply(to: call), to: call, nonce: nonce, serverKey: serverKey)
    }

    func reply(to call: HTTPCall) throws -> HTTPReply {
        do { return try transport.send(call) } catch {
            throw CellError(
                .unreachable, error.message, recovery: error.recovery == .retry ? .retry : .askAPerson)
        }
    }

    /// - Parameter offset: milliseconds to add to this clock.
    func signed(_ request: Request, offset: Int64) throws -> (call: HTTPCall, nonce: Nonce) {
        var random = makeRandom()
        let nonce = Nonce(using: &random)
        var call = HTTPCall(
            method: request.method, path: request.path, query: request.query, body: request.body ?? [],
            bodyLimitBytes: request.limitBytes)
        let content = request.body.map { [request.contentType, ContentDigest.header(for: $0)] } ?? ["", ""]
        let parts = RequestParts(
            method: request.method, path: request.path, query: call.query.isEmpty ? "" : "?" + call.encodedQuery,
            contentType: content[0], contentDigest: content[1], organisation: organisation?.bytes.hex ?? "")
        let signature = try RequestSignature.sign(parts, with: key, created: (clock() &+ offset) / 1000, nonce: nonce)
        call.headers = [
            (RequestParts.organisationField, parts.organisation), ("Signature-Input", signature.signatureInput),
            ("Signature", signature.signature),
        ]
        if request.body != nil { call.headers += [("Content-Type", content[0]), ("Content-Digest", content[1])] }
        return (call, nonce)
    }
}
