import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization

/// A centre that says what a test wants it to say, signed as the real one would sign it, or not.
final class FakeCentre: HTTPTransport {
    /// What to answer to one call.
    struct Answer: Sendable {
        var status = 200
        var body: [UInt8] = []
        var headers: [(String, String)] = []
        /// Nil leaves the answer unsigned.
        var key: SigningKey?
        /// Instead of the request's own.
        var nonce: Nonce?
        /// Sent instead of what was signed for.
        var sentBody: [UInt8]?
    }

    let root: SigningKey
    let serving: SigningKey
    let certificate: WireSignedStatement
    private let answers: Mutex<[Answer]>
    private let received = Mutex<[HTTPCall]>([])

    init(seed: UInt64 = 1) throws {
        var random = SeededGenerator(seed: seed)
        root = try SigningKey(using: &random)
        serving = try SigningKey(using: &random)
        certificate = try ServingCertificate(
            organisation: root.publicKey.organisationFingerprint, servingKey: serving.publicKey,
            notBeforeMilliseconds: 0, notAfterMilliseconds: .max, name: "Đảng bộ Trường"
        ).signed(by: root)
        answers = Mutex([])
    }

    var calls: [HTTPCall] { received.withLock { $0 } }
    var organisation: Hash256 { root.publicKey.organisationFingerprint }

    func will(_ answer: Answer) { answers.withLock { $0.append(answer) } }

    /// The Unix seconds at which a call says it was made.
    static func created(_ call: HTTPCall) -> Int64? {
        let input = call.headers.first { $0.0 == "Signature-Input" }?.1 ?? ""
        return input.split(separator: ";").first { $0.hasPrefix("created=") }.flatMap { Int64($0.dropFirst(8)) }
    }

    // MARK: answers

    func ok(_ body: [UInt8]) -> Answer { Answer(body: body, key: serving) }

    func sync() throws -> Answer {
        var response = WireSyncResponse()
        response.timeMs = 42
        return ok(try WireCoding.encode(response))
    }

    func hello(cell: String = "") throws -> Answer {
        var response = WireEnrollResponse()
        response.rootKey = Data(root.publicKey.bytes)
        response.servingCertificate = certificate
        response.cell = cell
        return ok(try WireCoding.encode(response))
    }

    func problem(
        _ status: Int, _ code: String, recovery: String = "stop", timeMilliseconds: Int64 = 0, isSigned: Bool = true
    ) throws -> Answer {
        var problem = WireProblem()
        (problem.code, problem.message, problem.recovery) = (code, "because of \(code)", recovery)
        problem.timeMs = timeMilliseconds
        return Answer(status: status, body: try WireCoding.encode(problem), key: isSigned ? serving : nil)
    }

    // MARK: the transport

    func send(_ call: HTTPCall) throws(TransportError) -> HTTPReply {
        received.withLock { $0.append(call) }
        guard let answer = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
            throw TransportError(.refused, "connection refused")
        }
        do { return try reply(answer, to: call) } catch { throw TransportError(.other, "\(error)") }
    }

    private func reply(_ answer: Answer, to call: HTTPCall) throws(ProtocolError) -> HTTPReply {
        let kind = CentreClient.contentType
        var headers = answer.headers + [("content-type", kind)]
        if let key = answer.key {
            let digest = ContentDigest.header(for: answer.body)
            let parts = ResponseParts(
                status: answer.status, contentType: kind, contentDigest: digest, requestMethod: call.method,
                requestPath: call.path)
            let input = call.headers.first { $0.0 == "Signature-Input" }?.1 ?? ""
            let asked = call.query.first { $0.0 == "nonce" }.flatMap { Nonce(text: $0.1) }
            let nonce = answer.nonce ?? asked ?? RequestSignature.claimedNonce(in: input)
            let signature = try ResponseSignature.sign(parts, with: key, created: 1, nonce: nonce)
            headers += [
                ("content-digest", digest), ("signature-input", signature.signatureInput),
                ("signature", signature.signature),
            ]
        }
        return HTTPReply(
            status: answer.status, headers: headers.map { (name: $0.0, value: $0.1) },
            body: answer.sentBody ?? answer.body)
    }
}
