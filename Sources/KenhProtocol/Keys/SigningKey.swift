import Crypto

/// An Ed25519 private key: a device's, an officer's, the centre's or an organisation's root. Never printed.
public struct SigningKey: Sendable {
    public static let byteCount = 32

    private let key: Curve25519.Signing.PrivateKey
    public let publicKey: PublicKey

    /// - Parameter bytes: the 32-byte seed of RFC 8032.
    /// - Throws: ``ProtocolError`` with code `badKey`.
    public init(bytes: some Collection<UInt8>) throws(ProtocolError) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: Array(bytes)) else {
            throw ProtocolError(.badKey, "a private key has \(Self.byteCount) bytes")
        }
        self.init(key)
    }

    public init(using generator: inout some RandomNumberGenerator) throws(ProtocolError) {
        try self.init(bytes: [UInt8].random(count: Self.byteCount, using: &generator))
    }

    private init(_ key: Curve25519.Signing.PrivateKey) {
        self.key = key
        publicKey = PublicKey(ofPrivate: key)
    }

    /// The 32 secret bytes, for the place that keeps them.
    public var secretBytes: [UInt8] { Array(key.rawRepresentation) }

    /// - Returns: 64 bytes.
    /// - Throws: ``ProtocolError`` with code `badKey` where the platform could not sign.
    public func sign(_ message: [UInt8], domain: SignatureDomain) throws(ProtocolError) -> [UInt8] {
        guard let signature = try? key.signature(for: domain.signedBytes(of: message)) else {
            throw ProtocolError(.badKey, "the key could not sign")
        }
        return Array(signature)
    }
}

extension SigningKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "SigningKey(…)" }
    public var debugDescription: String { description }
    /// Empty, so that `dump` shows nothing either.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
