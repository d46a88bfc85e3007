/// The keys with which a centre signs or once signed: that of now, and those that it replaced. Answers and checkpoints
/// are believed by the key of now alone; what stands in the log was signed by whichever was its own then.
public struct ServingKeys: Sendable, Equatable {
    public let current: PublicKey
    /// Newest first.
    public let earlier: [PublicKey]

    public init(_ current: PublicKey, earlier: [PublicKey] = []) {
        self.current = current
        self.earlier = earlier
    }

    /// Whether one of them made the signature.
    public func verifies(
        _ signature: some Collection<UInt8>, of message: [UInt8], domain: SignatureDomain
    ) -> Bool {
        current.verifies(signature, of: message, domain: domain)
            || earlier.contains { $0.verifies(signature, of: message, domain: domain) }
    }
}
