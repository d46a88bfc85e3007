import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension Hub {
    /// Bytes of blocks in one answer where the asker sets no lower limit.
    public static let downLimitBytes = 8 << 20

    /// `POST /v1/sync`: takes the blocks in, and gives what the sender lacks.
    ///
    /// - Throws: ``ProtocolError`` or ``HubError`` where the request as a whole cannot be served. Blocks may have been
    ///   logged all the same (`logMismatch`): sending them again does no harm. What is wrong with a single block is
    ///   said in its receipt.
    public func sync(_ request: WireSyncRequest, from device: RegisteredDevice) throws -> WireSyncResponse {
        try check(request)
        try refuseRevoked(device.key) { transaction in
            let admission = BlockAdmission(hub: self, sender: device.key.bytes, transaction: transaction)
            for block in request.blocks { _ = try admission.receipt(for: block) }
        }
        try retireReplaced(by: device)
        var response = WireSyncResponse()
        if !request.blocks.isEmpty || !request.replica.isEmpty {
            response.receipts = try take(request, from: device)
        }
        var moved: [String: Confirmation?] = [:]
        var acknowledged: [String: UInt64] = [:]
        let hasAll = request.allSent && response.receipts.allSatisfy { [.accepted, .alreadyHad].contains($0.verdict) }
        try log.read { transaction in
            response.epoch = Data(try transaction.epoch)
            try check(request.receipts, transaction)
            let cursors = try known(request.cursors, transaction)
            if !request.erasuresPending {
                moved = try self.moved(cursors.mapValues(\.sequence), of: device, transaction)
            }
            acknowledged = try self.acknowledged(
                cursors.mapValues(\.sequence), hasAll: hasAll, of: device, transaction)
            let checkpoint = try checkpoint(transaction)
            response.checkpoint = try note(checkpoint)
            response.consistency = try consistency(from: request.treeSize, to: checkpoint, transaction)
            try fill(&response, request, cursors, device, checkpoint, transaction)
        }
        note(moved, acknowledged, by: device)
        note(confirmed: request.confirmed, by: device)
        response.timeMs = now()
        return response
    }

    func check(version: UInt32) throws {
        guard version == Limits.protocolVersion else {
            throw ProtocolError(
                .unsupportedVersion,
                "the device speaks version \(version) of the protocol, the centre \(Limits.protocolVersion)")
        }
    }

    private func check(_ request: WireSyncRequest) throws {
        try check(version: request.protocol)
        guard request.blocks.count <= Limits.blocksPerRequest, request.cursors.count <= Limits.cursorsPerRequest,
            request.receipts.count <= Limits.cursorsPerRequest, request.bases.count <= Limits.cursorsPerRequest
        else {
            throw ProtocolError(.tooLarge, "the request has too many blocks or cursors")
        }
    }

    private func take(_ request: WireSyncRequest, from device: RegisteredDevice) throws -> [WireReceipt] {
        guard let replica = ReplicaID(bytes: request.replica) else {
            throw ProtocolError(.malformed, "the replica id has a wrong length")
        }
        if request.blocks.isEmpty, try log.read({ try $0.deviceKey(of: replica) }) == device.key { return [] }
        return try log.write { transaction in
            try addReplica(replica, of: device.key, transaction)
            let admission = BlockAdmission(hub: self, sender: device.key.bytes, transaction: transaction)
            return try request.blocks.map { try admission.receipt(for: $0) }
        }
    }

    /// What was acknowledged has to be there, also where the sender has not followed the log so far.
    private func check(_ receipts: [WireCursor], _ transaction: any HubTransaction) throws {
        for receipt in receipts {
            let hash = try transaction.entryHash(channel: receipt.channel, sequence: receipt.sequence)
            guard let hash, receipt.logHash.elementsEqual(hash.bytes) else { throw Self.mismatch(receipt.channel) }
        }
    }

    private static func mismatch(_ channel: String) -> HubError {
        HubError(
            .logMismatch, "the centre's log of \(channel) is not the one that this device followed", recovery: .resync)
    }

    /// The sender's place in each channel, where it fits this log.
    private func known(
        _ cursors: [WireCursor], _ transaction: any HubTransaction
    ) throws -> [String: (sequence: UInt64, isCovered: Bool)] {
        let epoch = try transaction.epoch
        var places: [String: (sequence: UInt64, isCovered: Bool)] = [:]
        for cursor in cursors where cursor.sequence > 0 {
            let hash = try transaction.entryHash(channel: cursor.channel, sequence: cursor.sequence)
            guard cursor.epoch.elementsEqual(epoch), let hash, cursor.logHash.elementsEqual(hash.bytes) else {
                throw Self.mismatch(cursor.channel)
            }
            places[cursor.channel] = (cursor.sequence, cursor.covered)
        }
        return places
    }

    private func fill(
        _ response: inout WireSyncResponse, _ request: WireSyncRequest,
        _ cursors: [String: (sequence: UInt64, isCovered: Bool)],
        _ device: RegisteredDevice, _ checkpoint: Checkpoint, _ transaction: any HubTransaction
    ) throws {
        let asked = request.downLimitBytes == 0 ? Self.downLimitBytes : Int(request.downLimitBytes)
        var budget = min(max(asked, 1), Self.downLimitBytes)
        let rights = try transaction.rights(of: device.cell)
        let known = try rights.channelsToRead(by: device.cell).map { try transaction.heads(among: $0) }
        let readable = try (known ?? transaction.heads()).filter {
            rights.role(of: device.cell, in: $0.channel).reads
        }
        let bases = Dictionary(request.bases.map { ($0.channel, $0.sequence) }) { $1 }
        let heads = readable.sorted { $0.channel == ChannelName.registry && $1.channel != $0.channel }
        for head in heads {
            let (place, isCovered) = cursors[head.channel] ?? (0, false)
            var reached = place
            let start = try start(
                of: head.channel, after: place, base: bases[head.channel], request.takesSnapshots, transaction)
            if start.offered != nil {
                // The device decides first how it begins.
                reached = head.sequence
            } else if place < head.sequence, budget > 0 {
                let entries = try transaction.entries(channel: head.channel, after: place, limitBytes: budget)
                for entry in entries {
                    let isOthers = entry.sender != device.key.bytes
                    var (wire, bytes) = try start.wire(entry, withBlock: isOthers || request.withOwnBlocks)
                    if !response.epoch.elementsEqual(entry.epoch) { wire.epoch = Data(entry.epoch) }
                    budget -= bytes
                    response.entries.append(wire)
                    reached = entry.sequence
                }
            }
            // Without the whole registry the receiver could not tell whose the blocks are.
            if head.channel == ChannelName.registry, reached < head.sequence { budget = 0 }
            response.more = response.more || reached < head.sequence
            var wire = wire(head)
            wire.snapshot = Data(start.offered?.bytes ?? [])
            // Whoever was shown it by an earlier checkpoint needs no path again.
            if place < head.sequence || !isCovered {
                guard let position = try transaction.position(channel: head.channel, sequence: head.sequence) else {
                    throw HubError(
                        .unavailable, "the centre's log is damaged; its administrator has to run kenh verify")
                }
                wire.position = position
                wire.inclusion = try inclusion(of: position, in: checkpoint, transaction)
            }
            response.heads.append(wire)
        }
    }

    private func wire(_ head: LogHead) -> WireChannelHead {
        var wire = WireChannelHead()
        wire.channel = head.channel
        wire.sequence = head.sequence
        wire.logHash = Data(head.entryHash.bytes)
        if let digest = mergedDigest(head.channel, at: head.sequence) { wire.digest = Data(digest.bytes) }
        return wire
    }
}

extension StoredEntry {
    /// As it travels, without its epoch.
    func wire(withBlock: Bool) throws -> WireLogEntry {
        var wire = WireLogEntry()
        wire.kind = kind
        wire.channel = channel
        wire.sequence = sequence
        wire.position = position
        wire.objectHash = Data(objectHash.bytes)
        wire.acceptedAtMs = acceptedAtMilliseconds
        wire.signature = Data(signature)
        wire.ruling = Data(ruling)
        switch kind {
        case .block where withBlock, .ruling where withBlock && hasBlock:
            wire.block = try WireCoding.decode(WireBlock.self, from: payload)
        case .registry: wire.registry = try WireCoding.decode(WireSignedStatement.self, from: payload)
        case .erasure: wire.erasure = Data(payload)
        case .finality: wire.finality = Data(payload)
        default: break
        }
        return wire
    }
}
