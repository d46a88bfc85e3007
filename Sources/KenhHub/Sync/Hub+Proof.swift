import Foundation
import KenhMerge
import KenhProtocol
import Synchronization

extension Hub {
    /// The log's tree as it is now, signed.
    func checkpoint(_ transaction: any HubTransaction) throws -> Checkpoint {
        let size = try transaction.size
        return Checkpoint(
            origin: Checkpoint.origin(organisation: identity.organisation, epoch: try transaction.epoch), size: size,
            root: try MerkleTree(transaction).root(size: size))
    }

    /// The note over a checkpoint. The same log is asked for by many, so the newest signature is kept.
    func note(_ checkpoint: Checkpoint) throws -> String {
        if let known = newestNote.withLock({ $0 }), known.checkpoint == checkpoint { return known.text }
        let text = try checkpoint.signed(with: identity.servingKey).encoded
        newestNote.withLock { $0 = (checkpoint, text) }
        return text
    }

    /// What shows that the log goes on from one of a size; nothing where it does not reach it.
    func consistency(
        from size: UInt64, to checkpoint: Checkpoint, _ transaction: any HubTransaction
    ) throws -> [Data] {
        guard size > 0, size < checkpoint.size else { return [] }
        return try MerkleTree(transaction).consistency(from: size, to: checkpoint.size).map { Data($0.bytes) }
    }

    func inclusion(
        of position: UInt64, in checkpoint: Checkpoint, _ transaction: any HubTransaction
    ) throws -> [Data] {
        try MerkleTree(transaction).inclusion(of: position - 1, size: checkpoint.size).map { Data($0.bytes) }
    }

    /// `POST /v1/proof`: that one entry is in the log.
    ///
    /// - Throws: ``ProtocolError`` with code `notFound` where it is not, or not in what the device may know, and
    ///   `revoked` where the device was.
    public func proof(_ request: WireProofRequest, for device: RegisteredDevice) throws -> WireProofResponse {
        try check(version: request.protocol)
        try refuseRevoked(device.key)
        return try log.read { transaction in
            guard let found = try entry(request, transaction), try maySee(found.proof, device, transaction) else {
                throw ProtocolError(.notFound, "the centre's log has no such entry")
            }
            let checkpoint = try checkpoint(transaction)
            var response = WireProofResponse()
            response.proof = found.proof.wire
            response.position = found.position
            response.checkpoint = try note(checkpoint)
            response.inclusion = try inclusion(of: found.position, in: checkpoint, transaction)
            response.consistency = try consistency(from: request.treeSize, to: checkpoint, transaction)
            response.timeMs = now()
            return response
        }
    }

    /// What a device's cell may read, and what it wrote itself.
    private func maySee(
        _ proof: EntryProof, _ device: RegisteredDevice, _ transaction: any HubTransaction
    ) throws -> Bool {
        if try transaction.rights(of: device.cell).role(of: device.cell, in: proof.channel).reads { return true }
        guard let writer = try transaction.block(proof.object)?.replica,
            let key = try transaction.deviceKey(of: writer)
        else { return false }
        return try transaction.device(key.bytes)?.cell == device.cell
    }

    private func entry(
        _ request: WireProofRequest, _ transaction: any HubTransaction
    ) throws -> (proof: EntryProof, position: UInt64)? {
        switch request.of {
        case .objectHash(let bytes):
            guard let object = Hash256(bytes: bytes) else {
                throw ProtocolError(.malformed, "the name of an object has 32 bytes")
            }
            return try transaction.entry(of: object)
        case .entry(let cursor): return try transaction.entry(channel: cursor.channel, sequence: cursor.sequence)
        case nil: throw ProtocolError(.malformed, "the request says not of what a proof is wanted")
        }
    }

    /// Begins a new life of the log, which was put back from an older copy: whoever followed the one before compares
    /// what he has with it, and hands back what it lacks.
    public func beginEpoch() throws { try log.write { try openNewEpoch(after: $0.epoch, $0) } }

    /// Where a channel's log ends, and in which life of it; sequence 0 where nothing is in it.
    public func head(of channel: String) throws -> (head: LogHead, epoch: [UInt8]) {
        try log.read { transaction in
            let head = try transaction.heads(among: [channel]).first
            return (head ?? LogHead(channel: channel, sequence: 0, entryHash: .zero), try transaction.epoch)
        }
    }

    /// How many entries the log has.
    public func size() throws -> UInt64 { try log.size() }

    /// Begins a new life of the log, and says in the log itself how far the one before had come.
    func openEpoch(_ epoch: [UInt8], after before: [UInt8], _ transaction: any HubTransaction) throws {
        let size = try transaction.size
        var opened = WireEpochOpened()
        opened.epoch = Data(epoch)
        opened.before = Data(before)
        opened.treeSize = size
        opened.treeRoot = Data(try MerkleTree(transaction).root(size: size).bytes)
        try transaction.open(epoch: epoch, atMilliseconds: now())
        try state(.epochOpened(opened), in: transaction)
    }
}
