import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension Hub {
    public static let codeLifetimeMilliseconds: Int64 = 7 * 24 * 3600 * 1000

    /// Enters a cell into the registry.
    /// - Parameter code: letters, digits, `-` and `_`, up to 32, such as CB3.
    public func addCell(code: String, name: String) throws {
        let isPlain = code.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d
                || $0 == 0x5f
        }
        guard (1...32).contains(code.utf8.count), isPlain else {
            throw HubError(.badCellCode, "“\(code)” is no code for a cell; use up to 32 letters, digits, - and _")
        }
        try log.write { transaction in
            guard try transaction.cellName(code) == nil else {
                throw HubError(
                    .cellExists, "there is a cell \(code) already; kenh central device add \(code) gives it a code")
            }
            try transaction.addCell(code: code, name: name)
            var cell = WireCellAdded()
            cell.code = code
            cell.name = name
            try state(.cellAdded(cell), in: transaction)
        }
    }

    /// A one-time code with which a device of the cell can join, good for seven days.
    public func issueCode(cell: String) throws -> EnrolmentCode {
        var random = makeRandom()
        let code = EnrolmentCode(organisation: identity.organisation, using: &random)
        try log.write { transaction in
            guard try transaction.cellName(cell) != nil else {
                throw HubError(
                    .cellUnknown, "there is no cell \(cell); add it with kenh central cell add \(cell) --name NAME")
            }
            try transaction.addCode(
                code.codeID,
                IssuedCode(
                    secret: code.secret, cell: cell, expiresAtMilliseconds: now() + Self.codeLifetimeMilliseconds,
                    usedBy: nil))
        }
        return code
    }

    /// `POST /v1/enroll`. Without a proof it only says who the centre is, so that the device can check the code's pin
    /// before it shows anything; with one it enters the device, and with the signature of a device's key until now it
    /// enters its new one. The same request by the same key gets the same answer.
    public func enroll(_ request: WireEnrollRequest) throws -> WireEnrollResponse {
        var response = WireEnrollResponse()
        response.rootKey = Data(identity.rootKey.bytes)
        response.servingCertificate = identity.certificate
        response.timeMs = now()
        guard !request.proof.isEmpty || !request.replaces.isEmpty else { return response }
        let key = try PublicKey(bytes: request.deviceKey)
        guard let replica = ReplicaID(bytes: request.replica) else {
            throw ProtocolError(.malformed, "the replica id has a wrong length")
        }
        try log.write { transaction in
            let cell =
                request.replaces.isEmpty
                ? try admit(request, key: key, replica: replica, transaction)
                : try replace(request, key: key, replica: replica, transaction)
            response.cell = cell
            response.cellName = try transaction.cellName(cell) ?? cell
        }
        return response
    }

    private func admit(
        _ request: WireEnrollRequest, key: PublicKey, replica: ReplicaID, _ transaction: any HubTransaction
    ) throws -> String {
        guard let issued = try transaction.code(Array(request.codeID)) else {
            throw ProtocolError(
                .codeUnknown, "the centre does not know this code; check it, or ask for a new one",
                recovery: .askAPerson)
        }
        let code = try EnrolmentCode(secret: issued.secret, organisation: identity.organisation)
        guard
            code.isProofGood(
                Array(request.proof), organisation: identity.organisation, deviceKey: key, replica: replica)
        else { throw ProtocolError(.codeUnknown, "the code does not fit; type it again", recovery: .askAPerson) }
        if let user = issued.usedBy {
            guard user == key.bytes else {
                throw ProtocolError(
                    .codeUsed, "the code was used by another device; ask for a new one", recovery: .askAPerson)
            }
            return issued.cell
        }
        guard now() <= issued.expiresAtMilliseconds else {
            throw ProtocolError(
                .codeExpired, "the code is older than seven days; ask for a new one", recovery: .askAPerson)
        }
        try enter(request, key: key, replica: replica, cell: issued.cell, transaction)
        try transaction.markUsed(Array(request.codeID), by: key.bytes)
        return issued.cell
    }

    private func enter(
        _ request: WireEnrollRequest, key: PublicKey, replica: ReplicaID, cell: String,
        _ transaction: any HubTransaction
    ) throws {
        let claim = Enrolment.claim(organisation: identity.organisation, key: key, replica: replica)
        guard key.verifies(request.countersignature, of: claim, domain: .enrolment) else {
            throw ProtocolError(.badSignature, "the device did not sign its enrolment")
        }
        let known = try transaction.device(key.bytes)
        guard known?.revokedAtMilliseconds == nil else {
            throw ProtocolError(
                .revoked, "this device was revoked; join with a new folder, which makes a new key",
                recovery: .askAPerson)
        }
        if let known, known.cell != cell {
            throw ProtocolError(
                .forbidden, "this device belongs to the cell \(known.cell) already, the code is for \(cell)",
                recovery: .askAPerson)
        }
        let name = String(request.deviceName.prefix(100))
        try addDevice(
            RegisteredDevice(key: key, cell: cell, name: name), countersignature: Array(request.countersignature),
            transaction)
        try addReplica(replica, of: key, transaction)
    }

    func addDevice(
        _ device: RegisteredDevice, countersignature: [UInt8], replacement: [UInt8] = [],
        _ transaction: any HubTransaction
    ) throws {
        guard try transaction.device(device.key.bytes) == nil else { return }
        try transaction.addDevice(device)
        var wire = WireDeviceAdded()
        wire.key = Data(device.key.bytes)
        wire.cell = device.cell
        wire.name = device.name
        wire.countersignature = Data(countersignature)
        wire.replaces = Data(device.replaces?.bytes ?? [])
        wire.replacement = Data(replacement)
        try state(.deviceAdded(wire), in: transaction)
    }

    /// Binds a replica to the device whose signature its blocks bear; a replica belongs to one device for ever.
    func addReplica(_ replica: ReplicaID, of key: PublicKey, _ transaction: any HubTransaction) throws {
        if let owner = try transaction.deviceKey(of: replica) {
            guard owner == key else {
                throw ProtocolError(.forbidden, "this replica id belongs to another device", recovery: .askAPerson)
            }
            return
        }
        try transaction.addReplica(replica, device: key)
        var wire = WireReplicaAdded()
        wire.replica = Data(replica.bytes)
        wire.deviceKey = Data(key.bytes)
        try state(.replicaAdded(wire), in: transaction)
    }

    /// Appends a signed statement to the registry's channel.
    func state(
        _ what: WireRegistryStatement.OneOf_What, at milliseconds: Int64? = nil, in transaction: any HubTransaction
    ) throws {
        var statement = WireRegistryStatement()
        statement.organisation = Data(identity.organisation.bytes)
        statement.what = what
        let signed = try WireSignedStatement(signing: statement, with: identity.servingKey, domain: .registryStatement)
        _ = try append(
            NewEntry(
                kind: .registry, channel: ChannelName.registry,
                object: Hashing.sha256(domain: .registry, Array(signed.statement)),
                acceptedAtMilliseconds: milliseconds ?? now(),
                payload: try WireCoding.encode(signed)),
            in: transaction)
    }

    /// Appends an entry and signs it.
    func append(_ entry: NewEntry, in transaction: any HubTransaction) throws -> EntryProof {
        guard try isOwnKey(transaction) else {
            throw HubError(
                .keyReplaced, "the centre was given a new key meanwhile; try again", recovery: .retry)
        }
        return try transaction.append(entry) { epoch, hash in
            try EntryProof.sign(hash, epoch: epoch, with: identity.servingKey)
        }
    }

    public func device(_ key: [UInt8]) throws -> RegisteredDevice? {
        try log.read { try $0.device(key) }
    }
}
