/// Signatures over requests, by a device's key (RFC 9421). Knows no HTTP library.
public enum RequestSignature {
    /// How far `created` may be from the receiver's clock, either way.
    public static let windowSeconds: Int64 = 600

    /// What a good signature says.
    public struct Verified: Sendable, Equatable {
        /// 32 bytes: the device's public key.
        public let keyID: [UInt8]
        public let nonce: Nonce
        /// Unix seconds by the sender's clock.
        public let created: Int64
    }

    /// - Parameter created: Unix seconds by this node's clock.
    public static func sign(
        _ parts: RequestParts, with key: SigningKey, created: Int64, nonce: Nonce
    ) throws(ProtocolError) -> SignatureHeaders {
        try SignatureHeaders(signing: parts.components, with: key, created: created, nonce: nonce)
    }

    /// - Parameters:
    ///   - now: Unix seconds by this node's clock.
    ///   - key: finds the key for a keyid of 32 bytes; nil where the device is not known. What it throws goes through.
    /// - Throws: ``ProtocolError``: `malformed`, `tooLarge`, `unknownDevice`, `badSignature`; `staleRequest` only after
    ///   the signature was found good, so the sender may be told the time.
    public static func verify(
        _ parts: RequestParts, _ headers: SignatureHeaders, now: Int64, key: ([UInt8]) throws -> PublicKey?
    ) throws -> Verified {
        let received = try ReceivedSignature(signatureInput: headers.signatureInput)
        guard let nonce = Nonce(text: received.nonceText) else {
            throw ProtocolError(.malformed, "the request's nonce is not \(Nonce.byteCount) bytes in base64")
        }
        guard let known = try key(received.keyID) else {
            throw ProtocolError(
                .unknownDevice, "no device of this organisation has the key that signed", recovery: .askAPerson)
        }
        try received.verify(headers.signature, over: parts.components, by: known)
        let (distance, isTooFar) = received.created.subtractingReportingOverflow(now)
        guard !isTooFar, distance.magnitude <= windowSeconds.magnitude else {
            throw ProtocolError(.staleRequest, "the request is not of this time; set the clock", recovery: .retry)
        }
        return Verified(keyID: received.keyID, nonce: nonce, created: received.created)
    }

    /// The nonce that a request claims, for the answer to one that may not be good; nil where none can be read.
    public static func claimedNonce(in signatureInput: String) -> Nonce? {
        (try? ReceivedSignature(signatureInput: signatureInput)).flatMap { Nonce(text: $0.nonceText) }
    }

    /// The key that a request claims, 32 bytes, for a look-up ahead of ``verify(_:_:now:key:)``.
    public static func claimedKeyID(in signatureInput: String) -> [UInt8]? {
        (try? ReceivedSignature(signatureInput: signatureInput))?.keyID
    }
}
