import Foundation
import KenhMerge
import KenhProtocol

extension Hub {
    /// `GET /v1/keys`: what it takes to know this centre again, by the organisation's root key alone.
    public func keys() throws -> WireKeysResponse {
        let certificates: ServingCertificates = try log.read { try self.certificates($0) }
        var response = WireKeysResponse()
        response.rootKey = Data(certificates.root.bytes)
        response.certificates = certificates.signed
        response.timeMs = now()
        return response
    }

    /// `GET /v1/time`.
    public func time() -> WireTimeResponse {
        var response = WireTimeResponse()
        response.timeMs = now()
        return response
    }

    /// All that the root key has certified, as far as this centre knows: a log that was restored may hold what was
    /// signed with a key that only its cells remember.
    func certificates(_ transaction: any HubTransaction) throws -> ServingCertificates {
        let identity = identity
        return try ServingCertificates([identity.certificate], root: identity.rootKey)
            .joined(with: identity.earlierCertificates + transaction.servingCertificates())
    }

    func servingKeys(_ transaction: any HubTransaction) throws -> ServingKeys {
        try identity.servingKeys(transaction)
    }

    /// Whether the key that this process signs with is still the centre's.
    func isOwnKey(_ transaction: any HubTransaction) throws -> Bool {
        guard let newest = try transaction.servingCertificates().first else { return true }
        let (key, keys) = (try ServingCertificate(unverified: newest).servingKey, identity.keys)
        return key == keys.current || keys.earlier.contains(key)
    }

    /// Says in the log that the centre signs with another key from here on, unless it says so already. Asked whenever a
    /// centre is opened, so that a change of keys that was cut short is finished.
    public func stateServingKey() throws {
        try log.write { transaction in
            let identity = identity
            guard !identity.earlierCertificates.isEmpty,
                try transaction.servingCertificates().first?.statement != identity.certificate.statement
            else { return }
            try enter(certificate: identity.certificate, transaction)
            try state(.servingKeyAdded(Self.added(identity.certificate)), in: transaction)
        }
    }

    /// What a device knows of keys that this log has forgotten; what the root key did not sign is passed over.
    func learn(_ certificates: [WireSignedStatement], _ transaction: any HubTransaction) throws {
        let known = try self.certificates(transaction)
        for signed in certificates {
            guard let certificate = try? ServingCertificate(signed, root: identity.rootKey),
                !known.all.contains(certificate), known.all.count < Limits.servingKeys
            else { continue }
            guard certificate.notBeforeMilliseconds < known.newest.notBeforeMilliseconds else {
                throw HubError(
                    .keyReplaced,
                    "this centre was restored with a key that was replaced since: its administrator has to restore "
                        + "keys/serving.key as well, or to run kenh central key rotate", recovery: .askAPerson)
            }
            try enter(certificate: signed, transaction)
            try state(.servingKeyAdded(Self.added(signed)), in: transaction)
        }
    }

    /// Into the registry, where the root key signed it.
    func enter(certificate signed: WireSignedStatement, _ transaction: any HubTransaction) throws {
        let certificate = try ServingCertificate(signed, root: identity.rootKey)
        try transaction.addServingCertificate(signed, notBeforeMilliseconds: certificate.notBeforeMilliseconds)
    }

    private static func added(_ certificate: WireSignedStatement) -> WireServingKeyAdded {
        var added = WireServingKeyAdded()
        added.certificate = certificate
        return added
    }

    // MARK: devices

    /// Enters a device's new key in the place of the one that it had, by whose signature it is let in.
    ///
    /// The old key counts until the new one is used: a device that was cut short in between has lost nothing.
    /// - Returns: the device's cell.
    func replace(
        _ request: WireEnrollRequest, key: PublicKey, replica: ReplicaID, _ transaction: any HubTransaction
    ) throws -> String {
        let old = try PublicKey(bytes: request.replaces)
        guard let device = try transaction.device(old.bytes), !device.cell.isEmpty else {
            throw ProtocolError(
                .unknownDevice, "the centre does not know the key that is to be replaced; join with a new code",
                recovery: .askAPerson)
        }
        let claim = Enrolment.replacement(
            organisation: identity.organisation, of: old, by: key, replica: replica)
        guard old.verifies(request.replacement, of: claim, domain: .deviceReplacement),
            key.verifies(
                request.countersignature,
                of: Enrolment.claim(organisation: identity.organisation, key: key, replica: replica),
                domain: .enrolment)
        else { throw ProtocolError(.badSignature, "the device did not sign for its new key with both keys") }
        if let known = try transaction.device(key.bytes) {
            guard known.replaces == old, known.revokedAtMilliseconds == nil else {
                throw ProtocolError(.forbidden, "this key is another device's", recovery: .askAPerson)
            }
        } else {
            guard device.revokedAtMilliseconds == nil else {
                throw ProtocolError(
                    .revoked, "this device was revoked: join with a new code, and a new folder", recovery: .askAPerson)
            }
            try addDevice(
                RegisteredDevice(key: key, cell: device.cell, name: device.name, replaces: old),
                countersignature: Array(request.countersignature), replacement: Array(request.replacement), transaction)
        }
        try addReplica(replica, of: key, transaction)
        return device.cell
    }

    /// Ends the key that a device gave up, once the new one is used.
    func retireReplaced(by device: RegisteredDevice) throws {
        guard let old = device.replaces,
            try log.read({ try $0.device(old.bytes) })?.revokedAtMilliseconds == nil
        else { return }
        try revoke(old, reason: "replaced by a new key of the same device")
    }
}

extension HubIdentity {
    /// The keys whose signatures stand in the log.
    func servingKeys(_ transaction: any HubTransaction) throws -> ServingKeys {
        let stated = try transaction.servingCertificates().map { try ServingCertificate(unverified: $0).servingKey }
        let others = stated.filter { $0 != keys.current && !keys.earlier.contains($0) }
        return others.isEmpty ? keys : ServingKeys(keys.current, earlier: keys.earlier + others)
    }
}
