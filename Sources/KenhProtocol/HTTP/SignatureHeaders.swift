/// The two header fields that carry a signature, as values. Other labels beside `kenh` are left alone.
public struct SignatureHeaders: Sendable, Equatable {
    /// The label of Kenh's own signature in both fields.
    public static let label = "kenh"
    package static let algorithm = "ed25519"
    package static let tag = "kenh-v1"

    /// Value of `Signature-Input`.
    public var signatureInput: String
    /// Value of `Signature`.
    public var signature: String

    public init(signatureInput: String, signature: String) {
        self.signatureInput = signatureInput
        self.signature = signature
    }

    /// Signs the components. `nonce` is nil only in an answer to a request that had none.
    init(
        signing components: [SignatureComponent], with key: SigningKey, created: Int64, nonce: Nonce?
    ) throws(ProtocolError) {
        let base = SignatureBase(
            components: components,
            parameters: [
                .created(created), .nonce(nonce?.text ?? ""), .keyID(key.publicKey.hex), .algorithm(Self.algorithm),
                .tag(Self.tag),
            ])
        let signature = try key.sign(base.bytes(), domain: .httpMessage)
        self.init(
            signatureInput: "\(Self.label)=\(try base.parameterText())",
            signature: "\(Self.label)=:\(Base64.encode(signature)):")
    }
}
