import Crypto
import KenhMerge

/// An Ed25519 public key, in the one encoding that this protocol takes for it.
public struct PublicKey: Hashable, Sendable {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// - Throws: ``ProtocolError`` with code `badKey` unless there are 32 bytes, the smallest encoding of their point,
    ///   and the point is not of small order.
    public init(bytes: some Collection<UInt8>) throws(ProtocolError) {
        guard bytes.count == Self.byteCount else {
            throw ProtocolError(.badKey, "a public key has \(Self.byteCount) bytes, not \(bytes.count)")
        }
        self.bytes = Array(bytes)
        guard EdwardsEncoding.isCanonical(self.bytes), !EdwardsEncoding.isSmallOrder(self.bytes) else {
            throw ProtocolError(.badKey, "these bytes are no key that anybody can own")
        }
    }

    init(ofPrivate key: Curve25519.Signing.PrivateKey) {
        bytes = Array(key.publicKey.rawRepresentation)
    }

    /// False for anything but a good signature; also for S at or over the group's order, which the library refuses.
    public func verifies(
        _ signature: some Collection<UInt8>, of message: [UInt8], domain: SignatureDomain
    ) -> Bool {
        guard signature.count == 64 else { return false }
        let (signature, signed) = (Array(signature), domain.signedBytes(of: message))
        // An HTTP message is signed once and checked once.
        guard domain != .httpMessage else { return isGood(signature, of: signed) }
        let name = VerifiedSignatures.name(key: bytes, signature: signature, signed: signed)
        if VerifiedSignatures.shared.contains(name) { return true }
        guard isGood(signature, of: signed) else { return false }
        VerifiedSignatures.shared.insert(name)
        return true
    }

    private func isGood(_ signature: [UInt8], of signed: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return false }
        return key.isValidSignature(signature, for: signed)
    }

    /// Names the organisation whose root key this is.
    public var organisationFingerprint: Hash256 { Hashing.sha256(domain: .organisation, bytes) }

    /// 64 lowercase hex digits, the `keyid` of a signature over HTTP.
    public var hex: String { bytes.hex }
}

extension PublicKey: CustomStringConvertible {
    public var description: String { String(hex.prefix(12)) }
}
