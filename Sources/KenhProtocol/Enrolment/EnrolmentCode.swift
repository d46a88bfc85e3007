import KenhMerge

/// What a person carries from the centre to a new device, on paper.
///
/// 10 random bytes, then the first 10 bytes of the organisation's fingerprint, in Crockford's base32 (32 characters),
/// then 2 check characters: the first 10 bits of SHA-256 over those 20 bytes. The random half is the secret, the other
/// pins the organisation's root key, so that neither side has to trust the network between them.
public struct EnrolmentCode: Sendable {
    public static let secretBytes = 10
    public static let pinBytes = 10
    static let characters = 34
    /// Far more than any way of writing a code takes.
    static let inputLimitBytes = 1024

    /// 80 random bits. Goes only into the place that keeps the codes which were given out.
    public let secret: [UInt8]
    /// The first 10 bytes of the organisation's fingerprint.
    public let pin: [UInt8]

    /// - Parameter secret: 10 bytes, as kept from ``secret``.
    /// - Throws: ``ProtocolError`` with code `badCode`.
    public init(secret: some Collection<UInt8>, organisation: Hash256) throws(ProtocolError) {
        guard secret.count == Self.secretBytes else {
            throw ProtocolError(.badCode, "a code's secret has \(Self.secretBytes) bytes")
        }
        self.secret = Array(secret)
        pin = Array(organisation.bytes.prefix(Self.pinBytes))
    }

    /// A new code for a device of the organisation with this fingerprint.
    public init(organisation: Hash256, using generator: inout some RandomNumberGenerator) {
        secret = .random(count: Self.secretBytes, using: &generator)
        pin = Array(organisation.bytes.prefix(Self.pinBytes))
    }

    init(payload: [UInt8]) {
        secret = Array(payload.prefix(Self.secretBytes))
        pin = Array(payload.dropFirst(Self.secretBytes))
    }

    /// 8 bytes by which the centre finds the code. Sent in the clear; the secret cannot be had from it.
    public var codeID: [UInt8] { Array(Hashing.sha256(domain: .code, secret).bytes.prefix(8)) }

    /// Whether the code was made for the organisation of this root key.
    public func pins(rootKey: PublicKey) -> Bool {
        rootKey.organisationFingerprint.bytes.prefix(Self.pinBytes).elementsEqual(pin)
    }
}

extension EnrolmentCode: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Names the code without giving it away.
    public var description: String { "EnrolmentCode(id \(codeID.hex))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
