import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension Simulation {
    private static let channels = ["org", "plan/A", "memo"]
    private static let type = "image/png"

    /// Somebody attaches a file. Its bytes are durable before anything says that there is one.
    func attach(_ bytes: Int, _ node: SimulatedNode, salt: UInt64) throws -> String {
        guard node.number > 0 else { return "nobody" }
        let blob = SampleBlob(bytes, seed: salt)
        let channel = Self.channels[Int(salt % UInt64(Self.channels.count))]
        try arm(node, salt)
        defer { node.blobs.arm(after: nil) }
        do {
            try node.blobs.write(blob.bytes, toPart: "own", at: 0, isDurable: true)
            guard try node.blobs.finish("own", as: blob.hash) else { return "not attached" }
        } catch { return "not attached" }
        attached[blob.hash] = blob
        try node.store().write { transaction in
            try transaction.addUpload(of: blob.hash, channel: channel, size: blob.size, type: Self.type)
        }
        return "attached \(blob.size) bytes in \(channel)"
    }

    private func arm(_ node: SimulatedNode, _ salt: UInt64) throws {
        var random = SeededGenerator(seed: salt)
        if random.chance(percent: 10) { node.blobs.arm(after: 1 + random.below(8)) }
        if random.chance(percent: 10) { centre.node.blobs.arm(after: 1 + random.below(12)) }
    }

    /// The lane of a cell runs for a while, and ends when its process does.
    func carry(_ node: SimulatedNode, salt: UInt64) throws -> String {
        guard node.number > 0 else { return "nobody" }
        try arm(node, salt)
        defer { for node in nodes { node.blobs.arm(after: nil) } }
        let before = blobFailures
        let link = SimulatedBlobLink(
            centre, as: node.identity.key.publicKey, percent: plan.linkPercent, seed: salt)
        defer {
            count(.pieceLost, link.lost)
            count(.blobFailedIO, blobFailures - before)
        }
        do {
            let report = try lane(node, link, salt: salt).run()
            return "\(report.sent) sent, \(report.fetched) fetched, \(report.failures.count) failed"
        } catch {
            guard blobFailures > before else { throw error }
            return "cut off"
        }
    }

    private var blobFailures: Int { nodes.map(\.blobs.failures).reduce(0, +) }

    private func lane(_ node: SimulatedNode, _ link: SimulatedBlobLink, salt: UInt64) throws -> AttachmentSync {
        var lane = AttachmentSync(
            store: try node.store(), files: node.blobs, link: link,
            random: { SeededGenerator(seed: salt) as any RandomNumberGenerator })
        // Most take several.
        lane.options.pieceBytes = 512
        return lane
    }

    /// Each cell gives what it has to give and fetches what others gave, whatever became of either before.
    func checkAttachments() throws {
        guard plan.hasAttachments else { return }
        let given = try giveAll()
        for (number, cell) in cells.enumerated() {
            let store = try cell.store()
            for (offset, transfer) in given.enumerated() where (offset + number).isMultiple(of: 3) {
                try store.add(
                    Transfer(
                        hash: transfer.hash, channel: transfer.channel, direction: .down, size: transfer.size,
                        type: transfer.type))
            }
        }
        _ = try giveAll()
        for cell in cells {
            for transfer in try cell.store().transfers() where transfer.direction == .down {
                guard let blob = attached[transfer.hash], try cell.blobs.size(of: blob.hash) == blob.size,
                    try cell.blobs.read(blob.hash, from: 0, limit: .max) == blob.bytes
                else { throw SimulationFailure("cell \(cell.number) fetched other bytes of \(transfer.hash)") }
            }
        }
    }

    /// - Returns: what all have given, once each, and the centre has.
    private func giveAll() throws -> [Transfer] {
        for round in 1...Self.roundLimit {
            // What is done is asked after again by then, and what failed is tried again.
            world.advance(milliseconds: 8 * 24 * 3_600_000)
            for cell in cells {
                let link = SimulatedBlobLink(centre, as: cell.identity.key.publicKey, percent: 0, seed: 0)
                let report = try lane(cell, link, salt: UInt64(round)).run()
                guard round < Self.roundLimit || report.failures.isEmpty else {
                    throw SimulationFailure("attachments of cell \(cell.number): \(report.failures)")
                }
            }
        }
        var given: [Transfer] = []
        for cell in cells {
            for transfer in try cell.store().transfers() where transfer.direction == .up {
                guard transfer.isDone, let blob = attached[transfer.hash],
                    try whole(transfer, for: cell) == blob.bytes
                else { throw SimulationFailure("the centre lacks \(transfer.hash) of cell \(cell.number)") }
                if !given.contains(where: { $0.key == transfer.key }) { given.append(transfer) }
            }
        }
        return given
    }

    private func whole(_ transfer: Transfer, for cell: SimulatedNode) throws -> [UInt8] {
        let query = BlobQuery(channel: transfer.channel, offset: 0, limitBytes: BlobRules.pieceBytes)
        return try centre.blobs(for: cell.identity.key.publicKey) { try $0.piece(transfer.hash, query, for: $1) }
    }
}
