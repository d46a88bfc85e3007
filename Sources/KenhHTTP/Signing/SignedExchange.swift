import Foundation
import HTTPTypes
import Hummingbird
import KenhHub
import KenhProtocol
import NIOCore

/// A request whose signature was found good, before its body is read.
struct SignedRequest {
    let keyID: [UInt8]
    let nonce: Nonce
    let contentDigest: String
    /// What of its body is held, as long as this is.
    let hold: BodyMemory.Hold
}

/// Checks requests and signs answers (RFC 9421, RFC 9530) for one hub.
struct SignedExchange: Sendable {
    static let contentType = "application/x-protobuf"

    let hub: Hub
    let memory: BodyMemory

    private func field(_ name: String, of request: Request) -> String {
        guard let field = HTTPField.Name(name) else { return "" }
        return request.headers[field] ?? ""
    }

    /// - Parameter key: whose signature a request with this key id may bear; what it throws goes through.
    func verify(
        _ request: Request, contentType: String = contentType, allowsUnknownOrganisation: Bool,
        key: ([UInt8]) throws -> PublicKey?
    ) throws -> SignedRequest {
        let organisation = field(RequestParts.organisationField, of: request)
        guard organisation == hub.identity.organisationText || (organisation.isEmpty && allowsUnknownOrganisation)
        else { throw ProtocolError(.wrongOrganisation, "the request is for another organisation") }
        let parts = RequestParts(
            method: request.method.rawValue, path: request.uri.path,
            query: request.uri.query.map { "?" + $0 } ?? "", contentType: field("content-type", of: request),
            contentDigest: field("content-digest", of: request), organisation: organisation)
        if request.method == .get {
            guard parts.contentType.isEmpty, parts.contentDigest.isEmpty else {
                throw ProtocolError(.malformed, "a request by GET has neither a content type nor a digest")
            }
        } else if parts.contentType != contentType {
            throw ProtocolError(.malformed, "the content type has to be \(contentType)")
        }
        let headers = SignatureHeaders(
            signatureInput: field("signature-input", of: request), signature: field("signature", of: request))
        let verified = try RequestSignature.verify(parts, headers, now: hub.now() / 1000, key: key)
        return SignedRequest(
            keyID: verified.keyID, nonce: verified.nonce, contentDigest: parts.contentDigest,
            hold: BodyMemory.Hold(memory))
    }

    /// Refuses what declares too much before anything else of it is looked at.
    func checkLength(of request: Request, limit: Int) throws {
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw Self.tooLarge(limit) }
    }

    /// The body, once it was found to be the one that was signed for.
    func body(of request: Request, signed: SignedRequest, limit: Int) async throws -> [UInt8] {
        var request = request
        let declared = request.headers[.contentLength].flatMap(Int.init) ?? limit
        try signed.hold.take(min(max(declared, 0), limit))
        let buffer: ByteBuffer
        do { buffer = try await request.collectBody(upTo: limit) } catch is NIOTooManyBytesError {
            throw Self.tooLarge(limit)
        } catch let error as HTTPError where error.status == .contentTooLarge {
            throw Self.tooLarge(limit)
        } catch {
            // The line ended, or what came is no chunk: whoever sent it is at fault, and not the centre.
            throw ProtocolError(.malformed, "the body did not come to its end", recovery: .retry)
        }
        let bytes = Array(buffer.readableBytesView)
        try ContentDigest.verify(signed.contentDigest, content: bytes)
        return bytes
    }

    private static func tooLarge(_ limit: Int) -> ProtocolError {
        ProtocolError(.tooLarge, "the body is over the limit of \(limit) bytes")
    }

    /// An answer signed for just this request.
    func answer(
        _ body: [UInt8], contentType: String = contentType, status: HTTPResponse.Status, to request: Request,
        nonce: Nonce?
    ) throws -> Response {
        let digest = ContentDigest.header(for: body)
        let parts = ResponseParts(
            status: status.code, contentType: contentType, contentDigest: digest,
            requestMethod: request.method.rawValue, requestPath: request.uri.path)
        let signature = try ResponseSignature.sign(
            parts, with: hub.identity.servingKey, created: hub.now() / 1000, nonce: nonce)
        var headers: HTTPFields = [.contentType: contentType]
        for (name, value) in [
            ("content-digest", digest), ("signature-input", signature.signatureInput),
            ("signature", signature.signature), ("cache-control", "no-store"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// The nonce that a bad request claims, so that its sender can tell the answer is for it.
    func claimedNonce(_ request: Request) -> Nonce? {
        RequestSignature.claimedNonce(in: field("signature-input", of: request))
    }
}
