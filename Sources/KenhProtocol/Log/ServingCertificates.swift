import KenhMerge

/// All that an organisation's root key has said of its centre's keys: `GET /v1/keys`, and what a store keeps.
public struct ServingCertificates: Sendable, Equatable {
    public let root: PublicKey
    /// The newest first: the one that begins last.
    public let all: [ServingCertificate]
    /// As they were signed, in the same order.
    public let signed: [WireSignedStatement]

    /// - Throws: ``ProtocolError``: `malformed` where there is none or too many, `badSignature` and `wrongOrganisation`
    ///   where one is not the root key's.
    public init(_ statements: [WireSignedStatement], root: PublicKey) throws(ProtocolError) {
        guard (1...Limits.servingKeys).contains(statements.count) else {
            throw ProtocolError(.malformed, "a centre has 1 to \(Limits.servingKeys) certificates")
        }
        var found: [(certificate: ServingCertificate, signed: WireSignedStatement)] = []
        for statement in statements {
            let certificate = try ServingCertificate(statement, root: root)
            if found.contains(where: { $0.certificate == certificate }) { continue }
            found.append((certificate, statement))
        }
        // Two that begin at one moment are told apart by their keys, so that everybody names the same as the newest.
        found.sort { Self.isNewer($0.certificate, $1.certificate) }
        self.root = root
        all = found.map(\.certificate)
        signed = found.map(\.signed)
    }

    private static func isNewer(_ a: ServingCertificate, _ b: ServingCertificate) -> Bool {
        guard a.notBeforeMilliseconds == b.notBeforeMilliseconds else {
            return a.notBeforeMilliseconds > b.notBeforeMilliseconds
        }
        return b.servingKey.bytes.lexicographicallyPrecedes(a.servingKey.bytes)
    }

    public var newest: ServingCertificate { all[0] }

    public var keys: ServingKeys { ServingKeys(newest.servingKey, earlier: all.dropFirst().map(\.servingKey)) }

    /// Both together: nobody forgets a key whose signatures he holds.
    public func joined(with others: [WireSignedStatement]) throws(ProtocolError) -> ServingCertificates {
        try ServingCertificates(signed + others, root: root)
    }
}
