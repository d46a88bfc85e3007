import Foundation
import KenhMerge
import SwiftProtobuf

/// The root key's word that a serving key is the centre's.
public struct ServingCertificate: Sendable, Equatable {
    public let organisation: Hash256
    public let servingKey: PublicKey
    public let notBeforeMilliseconds: Int64
    public let notAfterMilliseconds: Int64
    /// Of the organisation, for people.
    public let name: String

    public init(
        organisation: Hash256, servingKey: PublicKey, notBeforeMilliseconds: Int64, notAfterMilliseconds: Int64,
        name: String
    ) {
        self.organisation = organisation
        self.servingKey = servingKey
        self.notBeforeMilliseconds = notBeforeMilliseconds
        self.notAfterMilliseconds = notAfterMilliseconds
        self.name = name
    }

    public func signed(by root: SigningKey) throws(ProtocolError) -> WireSignedStatement {
        var wire = WireServingCertificate()
        wire.organisation = Data(organisation.bytes)
        wire.servingKey = Data(servingKey.bytes)
        wire.notBeforeMs = notBeforeMilliseconds
        wire.notAfterMs = notAfterMilliseconds
        wire.name = name
        return try WireSignedStatement(signing: wire, with: root, domain: .servingCertificate)
    }

    /// - Throws: ``ProtocolError``: `badSignature` unless the root key signed it for its own organisation.
    public init(_ statement: WireSignedStatement, root: PublicKey) throws(ProtocolError) {
        let wire: WireServingCertificate = try statement.verified(by: root, domain: .servingCertificate)
        guard wire.organisation.elementsEqual(root.organisationFingerprint.bytes) else {
            throw ProtocolError(.wrongOrganisation, "the centre's certificate is for another organisation")
        }
        try self.init(wire, organisation: root.organisationFingerprint)
    }

    /// One whose signature was found good before.
    ///
    /// - Throws: ``ProtocolError``: `malformed`, `badKey`.
    public init(unverified statement: WireSignedStatement) throws(ProtocolError) {
        let wire = try WireCoding.decode(WireServingCertificate.self, from: Array(statement.statement))
        guard let organisation = Hash256(bytes: wire.organisation) else {
            throw ProtocolError(.malformed, "a certificate names no organisation")
        }
        try self.init(wire, organisation: organisation)
    }

    private init(_ wire: WireServingCertificate, organisation: Hash256) throws(ProtocolError) {
        self.init(
            organisation: organisation, servingKey: try PublicKey(bytes: wire.servingKey),
            notBeforeMilliseconds: wire.notBeforeMs, notAfterMilliseconds: wire.notAfterMs, name: wire.name)
    }
}

extension WireSignedStatement {
    public init(signing message: some Message, with key: SigningKey, domain: SignatureDomain) throws(ProtocolError) {
        self.init()
        let bytes: [UInt8]
        do { bytes = try message.serializedBytes() } catch {
            throw ProtocolError(.malformed, "a statement cannot be written: \(error)")
        }
        statement = Data(bytes)
        signature = Data(try key.sign(bytes, domain: domain))
    }

    /// The statement, once its signature was found good.
    public func verified<M: Message>(by key: PublicKey, domain: SignatureDomain) throws(ProtocolError) -> M {
        try verified(by: ServingKeys(key), domain: domain)
    }

    /// The statement, once it was found to be signed by one of the keys.
    public func verified<M: Message>(by keys: ServingKeys, domain: SignatureDomain) throws(ProtocolError) -> M {
        guard keys.verifies(signature, of: Array(statement), domain: domain) else {
            throw ProtocolError(.badSignature, "a statement is not signed by whom it should be")
        }
        do { return try M(serializedBytes: statement) } catch {
            throw ProtocolError(.malformed, "a statement is no Protocol Buffers message")
        }
    }
}
