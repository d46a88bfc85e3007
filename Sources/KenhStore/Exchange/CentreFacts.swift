import KenhMerge
import KenhProtocol

/// What a store keeps of its centre's keys: the organisation's root key, the serving key of now with its certificate, and
/// the certificates of those that it replaced, whose signatures the store still holds.
struct CentreFacts {
    let meta: Meta

    static let rootName = "root_key"
    static let keyName = "serving_key"
    static let certificateName = "serving_certificate"
    static let earlierName = "earlier_certificates"

    /// The keys by themselves, as they were found good when they were kept; nil before the store has joined, and where
    /// another program keeps them.
    func keys() throws(StoreError) -> ServingKeys? {
        guard case .blob(let bytes) = try meta.value(Self.keyName), let key = try? PublicKey(bytes: bytes) else {
            return nil
        }
        let earlier = Self.earlier(try meta.value(Self.earlierName)) ?? []
        return ServingKeys(key, earlier: earlier.compactMap { try? ServingCertificate(unverified: $0).servingKey })
    }

    /// What the root key itself vouches for. The serving key that lies beside its certificate is not looked at.
    /// - Returns: nil where anything of it is missing or damaged.
    static func certificates(_ fact: (String) throws -> Value) rethrows -> ServingCertificates? {
        guard case .blob(let root) = try fact(rootName), let rootKey = try? PublicKey(bytes: root),
            case .blob(let bytes) = try fact(certificateName),
            let current = try? WireCoding.decode(WireSignedStatement.self, from: bytes),
            let earlier = earlier(try fact(earlierName)),
            let certificates = try? ServingCertificates([current] + earlier, root: rootKey),
            certificates.signed[0] == current
        else { return nil }
        return certificates
    }

    private static func earlier(_ value: Value) -> [WireSignedStatement]? {
        switch value {
        case .null: []
        case .blob(let bytes): (try? WireCoding.decode(WireKeysResponse.self, from: bytes))?.certificates
        default: nil
        }
    }

    func set(_ certificates: ServingCertificates) throws {
        var earlier = WireKeysResponse()
        earlier.certificates = Array(certificates.signed.dropFirst())
        try meta.set(Self.rootName, .blob(certificates.root.bytes))
        try meta.set(Self.keyName, .blob(certificates.newest.servingKey.bytes))
        try meta.set(Self.certificateName, .blob(try WireCoding.encode(certificates.signed[0])))
        try meta.set(Self.earlierName, .blob(try WireCoding.encode(earlier)))
    }
}

extension Store {
    /// The centre's certificates, as far as they are whole and the organisation's root key signed them; nil where they
    /// are damaged, or before the store has joined.
    public func centreCertificates() throws(StoreError) -> ServingCertificates? {
        try reading { core in
            guard let certificates = try CentreFacts.certificates({ try core.meta.value($0) }),
                case .blob(let key) = try core.meta.value(CentreFacts.keyName),
                certificates.newest.servingKey.bytes == key
            else { return nil }
            return certificates
        }
    }

    /// Keeps them in the place of those that were kept, as one.
    public func keep(_ certificates: ServingCertificates) throws(StoreError) {
        try transaction { _, core in try CentreFacts(meta: core.meta).set(certificates) }
    }
}
