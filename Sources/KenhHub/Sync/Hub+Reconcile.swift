import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension Hub {
    /// `POST /v1/reconcile`: compares what a device followed of the log with the log, and takes back what the log has
    /// lost since it was restored from an older copy.
    ///
    /// An entry that the serving key signed and that is not in the log proves the loss. Then the log begins a new
    /// epoch: what it takes from there on is not what devices followed.
    ///
    /// - Parameter key: the request's signer. A log that forgot the device learns it from the registry statements that
    ///   the device hands back.
    /// - Throws: ``ProtocolError``, ``HubError`` where the request as a whole cannot be served; nothing is kept then.
    public func reconcile(_ request: WireReconcileRequest, from key: PublicKey) throws -> WireReconcileResponse {
        try check(request)
        try refuseRevoked(key)
        let response = try log.write { transaction in
            var response = WireReconcileResponse()
            try learn(request.certificates, transaction)
            try openEpochIfRewound(request, transaction)
            try takeBackRegistry(request.handedBack, transaction)
            guard let device = try transaction.device(key.bytes) else {
                throw ProtocolError(
                    .unknownDevice, "the centre does not know this device; join again with a new code",
                    recovery: .askAPerson)
            }
            _ = try takeBackWhole(request.handedBack, transaction)
            try takeBackBlocks(request, from: device, transaction, &response)
            response.epoch = Data(try transaction.epoch)
            for places in request.places { response.common.append(try common(places, transaction)) }
            response.timeMs = now()
            return response
        }
        _ = try cleanLogIfPossible()
        return response
    }

    private func check(_ request: WireReconcileRequest) throws {
        try check(version: request.protocol)
        let arePlacesFew = request.places.allSatisfy {
            $0.places.count <= Limits.placesPerChannel && $0.newest.count <= Limits.placesPerChannel
        }
        guard request.handedBack.count <= Limits.blocksPerRequest, request.places.count <= Limits.cursorsPerRequest,
            arePlacesFew
        else { throw ProtocolError(.tooLarge, "the request has too many entries or places") }
    }

    // MARK: epochs

    private func openEpochIfRewound(_ request: WireReconcileRequest, _ transaction: any HubTransaction) throws {
        var isRewound = false
        let before = try transaction.epoch
        for wire in request.places.flatMap(\.newest) {
            // What is not signed proves nothing, and is no reason to serve its sender less.
            guard let proof = try? EntryProof(wire), proof.isGood(by: try servingKeys(transaction)),
                try isLost(proof, transaction)
            else { continue }
            isRewound = true
            // A life that the log has forgotten is known from here on: it proves no second loss.
            if try !transaction.knows(epoch: proof.epoch) {
                try transaction.open(epoch: proof.epoch, atMilliseconds: proof.acceptedAtMilliseconds)
            }
        }
        if try isLost(checkpoint: request.checkpoint, transaction) { isRewound = true }
        if isRewound { try openNewEpoch(after: before, transaction) }
    }

    func openNewEpoch(after before: [UInt8], _ transaction: any HubTransaction) throws {
        var random = makeRandom()
        try openEpoch(random.next().bigEndianBytes + random.next().bigEndianBytes, after: before, transaction)
    }

    /// Whoever hands something back that this very life of the log took and does not have shows that it was put back,
    /// though he compared nothing before.
    func openEpochIfLost(_ proof: EntryProof, _ transaction: any HubTransaction) throws {
        let epoch = try transaction.epoch
        guard proof.epoch == epoch, try isLost(proof, transaction) else { return }
        try openNewEpoch(after: epoch, transaction)
    }

    /// Whether the log once had more than it has, or other than it has, by its own word.
    private func isLost(checkpoint note: String, _ transaction: any HubTransaction) throws -> Bool {
        guard !note.isEmpty, let note = try? SignedNote(decoding: note),
            let checkpoint = try? Checkpoint(note, keys: servingKeys(transaction)),
            let epoch = checkpoint.epoch,
            checkpoint.origin == Checkpoint.origin(organisation: identity.organisation, epoch: epoch)
        else { return false }
        guard try epoch == transaction.epoch else {
            guard try !transaction.knows(epoch: epoch) else { return false }
            try transaction.open(epoch: epoch, atMilliseconds: now())
            return true
        }
        let size = try transaction.size
        return try checkpoint.size > size || MerkleTree(transaction).root(size: checkpoint.size) != checkpoint.root
    }

    private func isLost(_ proof: EntryProof, _ transaction: any HubTransaction) throws -> Bool {
        // After an epoch the log may go on differently; within the current one it may not.
        guard try proof.epoch == transaction.epoch else { return try !transaction.knows(epoch: proof.epoch) }
        return try transaction.entryHash(channel: proof.channel, sequence: proof.sequence) != proof.entryHash
    }

    private func common(_ places: WireChannelPlaces, _ transaction: any HubTransaction) throws -> WireCommonPlace {
        var common = WireCommonPlace()
        common.channel = places.channel
        for place in places.places {
            guard let hash = try transaction.entryHash(channel: places.channel, sequence: place.sequence),
                place.logHash.elementsEqual(hash.bytes)
            else { continue }
            (common.sequence, common.logHash) = (place.sequence, place.logHash)
            break
        }
        return common
    }

    // MARK: what was lost

    /// Takes objects back without a device that brings them.
    /// - Returns: how many of them the log has now.
    func takeBack(_ items: [WireHandedBack], from key: PublicKey) throws -> Int {
        try log.write { transaction in
            try takeBackRegistry(items, transaction)
            let admission = BlockAdmission(hub: self, sender: key.bytes, transaction: transaction)
            var count = items.count { $0.hasRegistry }
            count += try takeBackWhole(items, transaction)
            for item in items where item.hasBlock {
                let proof = try Hash256(bytes: item.proof.objectHash).flatMap {
                    try goodProof(item.proof, of: $0, transaction)
                }
                let verdict = try admission.receipt(for: item.block, proof: proof).verdict
                if verdict == .accepted || verdict == .alreadyHad { count += 1 }
            }
            return count
        }
    }

    private func takeBackRegistry(_ handedBack: [WireHandedBack], _ transaction: any HubTransaction) throws {
        for item in handedBack where item.hasRegistry {
            let object = Hashing.sha256(domain: .registry, Array(item.registry.statement))
            if try transaction.contains(object) { continue }
            let statement: WireRegistryStatement = try item.registry.verified(
                by: servingKeys(transaction), domain: .registryStatement)
            guard statement.organisation.elementsEqual(identity.organisation.bytes) else {
                throw ProtocolError(.wrongOrganisation, "a registry statement is for another organisation")
            }
            let acceptedAt = try goodProof(item.proof, of: object, transaction)?.acceptedAtMilliseconds ?? now()
            try enter(statement, acceptedAt: acceptedAt, transaction)
            _ = try append(
                NewEntry(
                    kind: .registry, channel: ChannelName.registry, object: object,
                    acceptedAtMilliseconds: acceptedAt, payload: try WireCoding.encode(item.registry)),
                in: transaction)
        }
    }

    func enter(
        _ statement: WireRegistryStatement, acceptedAt: Int64, _ transaction: any HubTransaction
    ) throws {
        switch statement.what {
        case .cellAdded(let cell):
            if try transaction.cellName(cell.code) == nil { try transaction.addCell(code: cell.code, name: cell.name) }
        case .deviceAdded(let device):
            let key = try PublicKey(bytes: device.key)
            if try transaction.device(key.bytes) == nil {
                let replaces = device.replaces.isEmpty ? nil : try PublicKey(bytes: device.replaces)
                try transaction.addDevice(
                    RegisteredDevice(key: key, cell: device.cell, name: device.name, replaces: replaces))
            }
        case .replicaAdded(let added):
            guard let replica = ReplicaID(bytes: added.replica) else {
                throw ProtocolError(.malformed, "a registry statement names no replica")
            }
            if try transaction.deviceKey(of: replica) == nil {
                try transaction.addReplica(replica, device: try PublicKey(bytes: added.deviceKey))
            }
        case .deviceRevoked(let revoked):
            try transaction.revoke(try PublicKey(bytes: revoked.key), atMilliseconds: now())
        case .roleDefined(let role):
            try transaction.addRole(Role(role, statedAtMilliseconds: acceptedAt))
        case .granted(let grant):
            try transaction.addGrant(Grant(grant, statedAtMilliseconds: acceptedAt))
        // It is history: what the log's life is now was decided before it came back.
        case .epochOpened: break
        case .servingKeyAdded(let added): try enter(certificate: added.certificate, transaction)
        case nil: throw ProtocolError(.unsupportedVersion, "a registry statement needs a newer Kenh")
        }
    }

    func goodProof(
        _ wire: WireEntryProof, of object: Hash256, _ transaction: any HubTransaction
    ) throws -> EntryProof? {
        guard let proof = try? EntryProof(wire), proof.object == object,
            proof.isGood(by: try servingKeys(transaction))
        else { return nil }
        return proof
    }

    private func takeBackBlocks(
        _ request: WireReconcileRequest, from device: RegisteredDevice, _ transaction: any HubTransaction,
        _ response: inout WireReconcileResponse
    ) throws {
        guard let replica = ReplicaID(bytes: request.replica) else {
            throw ProtocolError(.malformed, "the replica id has a wrong length")
        }
        try addReplica(replica, of: device.key, transaction)
        let admission = BlockAdmission(hub: self, sender: device.key.bytes, transaction: transaction)
        for item in request.handedBack where !item.hasRegistry && !item.isWhole {
            guard let object = try Self.object(of: item) else {
                response.receipts.append(try admission.receipt(for: item.block))
                continue
            }
            let proof = try goodProof(item.proof, of: object, transaction)
            if let proof { try openEpochIfLost(proof, transaction) }
            if let known = try transaction.acceptance(of: object) {
                response.receipts.append(BlockAdmission.alreadyHad(try join(proof, known, transaction)))
            } else if item.hasBlock {
                response.receipts.append(try admission.receipt(for: item.block, proof: proof))
            } else {
                response.wanted.append(item.proof.objectHash)
            }
        }
    }

    /// By its proof. Nil for a block that comes without one, as for a new one.
    private static func object(of item: WireHandedBack) throws -> Hash256? {
        if let object = Hash256(bytes: item.proof.objectHash) { return object }
        guard item.hasBlock else { throw ProtocolError(.malformed, "a block that is offered has no name") }
        return nil
    }

    /// The earliest acceptance counts on every node, and all that was ever struck is; where what comes back says more
    /// than the log does, everybody is told.
    private func join(
        _ proof: EntryProof?, _ known: EntryProof, _ transaction: any HubTransaction
    ) throws -> EntryProof {
        guard let proof else { return known }
        let struck = try Self.joined(proof.ruling, known.ruling)
        let acceptedAt = min(proof.acceptedAtMilliseconds, known.acceptedAtMilliseconds)
        guard acceptedAt < known.acceptedAtMilliseconds || struck != known.ruling else { return known }
        return try append(
            NewEntry(
                kind: struck.isEmpty ? .verdict : .ruling, channel: known.channel, object: known.object,
                acceptedAtMilliseconds: acceptedAt, ruling: struck),
            in: transaction)
    }

    private static func joined(_ proof: [UInt8], _ known: [UInt8]) throws -> [UInt8] {
        guard !proof.isEmpty else { return known }
        guard !known.isEmpty else { return proof }
        let (mine, theirs) = (try Ruling(decoding: known), try Ruling(decoding: proof))
        return theirs.struck.isSubset(of: mine.struck) ? known : try mine.joined(with: theirs).encoded
    }
}
