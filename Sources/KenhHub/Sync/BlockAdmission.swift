import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Judges uploaded blocks one by one and appends the good ones to the log.
struct BlockAdmission {
    let hub: Hub
    let sender: [UInt8]
    let transaction: any HubTransaction
    let codec = BlockCodec()
    /// Whether a person has decided so.
    var takesRevoked = false

    /// Never throws for what a block is like, only where the log itself fails.
    ///
    /// - Parameter proof: that the centre took the block once before; its time counts then.
    func receipt(for wire: WireBlock, proof: EntryProof? = nil) throws -> WireReceipt {
        var receipt = WireReceipt()
        do {
            let block = try Block(wire)
            receipt.blockHash = Data(block.hash.bytes)
            let proof = proof?.object == block.hash ? proof : nil
            // What was taken before its writer was revoked stays taken.
            let outcome = try proof == nil && !takesRevoked ? quarantined(block, payload: wire) : nil
            fill(&receipt, try outcome ?? admit(block, payload: wire, proof))
        } catch let error as ProtocolError {
            receipt.verdict = .invalid
            receipt.code = error.code.rawValue
            receipt.message = error.message
        }
        return receipt
    }

    /// The receipt for a block that the log has.
    static func alreadyHad(_ proof: EntryProof) -> WireReceipt {
        var receipt = WireReceipt()
        receipt.blockHash = Data(proof.object.bytes)
        fill(&receipt, .alreadyHad, proof)
        return receipt
    }

    private enum Outcome {
        case accepted(EntryProof)
        case alreadyHad(EntryProof)
        case heldBack(String)
        case quarantined
    }

    private func fill(_ receipt: inout WireReceipt, _ outcome: Outcome) {
        switch outcome {
        case .accepted(let proof): Self.fill(&receipt, .accepted, proof)
        case .alreadyHad(let proof): Self.fill(&receipt, .alreadyHad, proof)
        case .quarantined:
            (receipt.verdict, receipt.code) = (.quarantined, ProtocolError.Code.revoked.rawValue)
            receipt.message = "its writer was revoked; it is kept aside until the centre's administrator decides"
        case .heldBack(let what):
            (receipt.verdict, receipt.code, receipt.message) = (.heldBack, "missing", what)
        }
    }

    private static func fill(_ receipt: inout WireReceipt, _ verdict: WireVerdict, _ proof: EntryProof) {
        (receipt.verdict, receipt.sequence, receipt.acceptedAtMs) =
            (verdict, proof.sequence, proof.acceptedAtMilliseconds)
        receipt.proof = proof.wire
        guard let ruling = try? Ruling(decoding: proof.ruling) else { return }
        (receipt.code, receipt.message) = (ruling.code, ruling.message)
    }

    private func admit(_ block: Block, payload: WireBlock, _ proof: EntryProof?) throws -> Outcome {
        if let known = try transaction.acceptance(of: block.hash) { return .alreadyHad(known) }
        try authenticate(block)
        if let missing = try missingLink(block) { return .heldBack(missing) }
        let body = try codec.open(block)
        if let missing = try missingPin(body, channel: block.header.channel) { return .heldBack(missing) }
        let erased = try transaction.erased(of: block.hash)
        guard proof != nil || body.erased(in: block.hash).allSatisfy(erased.contains) else {
            return .heldBack("it lacks values that were never erased")
        }
        // What was erased is not written down again, whoever brings it.
        var payload = payload
        if let stripped = try block.erasing(body, where: erased.contains) { payload.detached = Data(stripped.detached) }
        let ruling = try ruling(on: block, body, proof)
        let entry = NewEntry(
            kind: ruling.isEmpty ? .block : .ruling, channel: block.header.channel, object: block.hash,
            acceptedAtMilliseconds: proof?.acceptedAtMilliseconds ?? hub.now(), sender: sender,
            payload: try WireCoding.encode(payload), header: block.header, ruling: ruling)
        return .accepted(try hub.append(entry, in: transaction))
    }

    /// What the writer may not do, by the registry as it stands at this place of the log; empty where it may do all. What
    /// was judged once is not judged anew.
    private func ruling(on block: Block, _ body: BlockBody, _ proof: EntryProof?) throws -> [UInt8] {
        if let proof { return proof.ruling }
        guard let key = try transaction.deviceKey(of: block.header.replica),
            let cell = try transaction.device(key.bytes)?.cell
        else { return [] }
        return try transaction.rights(of: cell).ruling(on: block, body, of: cell)?.encoded ?? []
    }

    /// Nil where the writer may go on.
    private func quarantined(_ block: Block, payload: WireBlock) throws -> Outcome? {
        // A revoked device may have begun a new life that nobody has heard of.
        let key = try transaction.deviceKey(of: block.header.replica) ?? PublicKey(bytes: sender)
        guard try transaction.device(key.bytes)?.revokedAtMilliseconds != nil,
            try transaction.acceptance(of: block.hash) == nil
        else { return nil }
        try checkOutside(block)
        try block.verify(deviceKey: key)
        if try transaction.isQuarantined(block.hash) { return .quarantined }
        let bytes = try WireCoding.encode(payload)
        guard try transaction.quarantinedBytes(of: key) + bytes.count <= Limits.quarantineBytes else {
            throw ProtocolError(
                .revoked, "its writer was revoked, and has more aside already than is kept", recovery: .askAPerson)
        }
        try transaction.quarantine(
            QuarantinedBlock(
                hash: block.hash, writer: key, sender: sender, receivedAtMilliseconds: hub.now(), payload: bytes))
        return .quarantined
    }

    private func authenticate(_ block: Block) throws {
        try checkOutside(block)
        guard let key = try transaction.deviceKey(of: block.header.replica) else {
            throw ProtocolError(.unknownDevice, "the block's writer is not registered here", recovery: .askAPerson)
        }
        try block.verify(deviceKey: key)
    }

    private func checkOutside(_ block: Block) throws(ProtocolError) {
        guard block.header.organisation == hub.identity.organisation else {
            throw ProtocolError(.wrongOrganisation, "the block belongs to another organisation")
        }
        guard ChannelName.isValid(block.header.channel) else {
            throw ProtocolError(.malformed, "“\(block.header.channel)” is no channel for rows")
        }
    }

    /// A lane never has gaps: the block before has to be here, and to be what the header says it is.
    private func missingLink(_ block: Block) throws -> String? {
        let header = block.header
        guard header.previous != .zero else {
            guard header.isGroupStart else { throw Self.brokenGroup }
            return nil
        }
        guard let previous = try transaction.block(header.previous) else {
            return "the block before it is not here"
        }
        guard previous.replica == header.replica, previous.channel == header.channel,
            previous.lastCounter &+ 1 == header.firstCounter
        else { throw ProtocolError(.brokenLink, "the block does not continue the block that it names") }
        guard previous.isGroupEnd ?? header.isGroupStart == header.isGroupStart else { throw Self.brokenGroup }
        return nil
    }

    /// Nobody could ever apply it: a group is applied whole.
    private static let brokenGroup = ProtocolError(
        .brokenLink, "the block does not go on with the group of the block before it, or not with a new one")

    private func missingPin(_ body: BlockBody, channel: String) throws -> String? {
        for pin in body.pins where try transaction.block(pinnedBy: pin, channel: channel) == nil {
            return "a block of replica \(pin.replica) that it builds on is not here"
        }
        return nil
    }
}
