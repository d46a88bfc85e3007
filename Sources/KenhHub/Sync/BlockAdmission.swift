import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Judges uploaded blocks one by one and appends the good ones to the log.
struct BlockAdmission {
    let organisation: Hash256
    let now: Int64
    let sender: [UInt8]
    let transaction: any HubTransaction
    let codec = BlockCodec()

    /// Never throws for what a block is like, only where the log itself fails.
    func receipt(for wire: WireBlock) throws -> WireReceipt {
        var receipt = WireReceipt()
        do {
            let block = try Block(wire)
            receipt.blockHash = Data(block.hash.bytes)
            fill(&receipt, try admit(block, payload: wire))
        } catch let error as ProtocolError {
            receipt.verdict = .invalid
            receipt.code = error.code.rawValue
            receipt.message = error.message
        }
        return receipt
    }

    private enum Outcome {
        case accepted(sequence: UInt64, at: Int64)
        case alreadyHad(sequence: UInt64, at: Int64)
        case heldBack(String)
    }

    private func fill(_ receipt: inout WireReceipt, _ outcome: Outcome) {
        switch outcome {
        case .accepted(let sequence, let at):
            (receipt.verdict, receipt.sequence, receipt.acceptedAtMs) = (.accepted, sequence, at)
        case .alreadyHad(let sequence, let at):
            (receipt.verdict, receipt.sequence, receipt.acceptedAtMs) = (.alreadyHad, sequence, at)
        case .heldBack(let what):
            (receipt.verdict, receipt.code, receipt.message) = (.heldBack, "missing", what)
        }
    }

    private func admit(_ block: Block, payload: WireBlock) throws -> Outcome {
        if let known = try transaction.block(block.hash) {
            return .alreadyHad(sequence: known.sequence, at: known.acceptedAtMilliseconds)
        }
        try authenticate(block)
        if let missing = try missingLink(block) { return .heldBack(missing) }
        let body = try codec.open(block)
        if let missing = try missingPin(body, channel: block.header.channel) { return .heldBack(missing) }
        let entry = try transaction.append(
            kind: .block, channel: block.header.channel, object: block.hash, payload: try WireCoding.encode(payload),
            sender: sender, header: block.header, acceptedAtMilliseconds: now)
        return .accepted(sequence: entry.sequence, at: entry.acceptedAtMilliseconds)
    }

    private func authenticate(_ block: Block) throws {
        guard block.header.organisation == organisation else {
            throw ProtocolError(.wrongOrganisation, "the block belongs to another organisation")
        }
        guard ChannelName.isValid(block.header.channel) else {
            throw ProtocolError(.malformed, "“\(block.header.channel)” is no channel for rows")
        }
        guard let key = try transaction.deviceKey(of: block.header.replica) else {
            throw ProtocolError(.unknownDevice, "the block's writer is not registered here", recovery: .askAPerson)
        }
        try block.verify(deviceKey: key)
    }

    /// A lane never has gaps: the block before has to be here, and to be what the header says it is.
    private func missingLink(_ block: Block) throws -> String? {
        let header = block.header
        guard header.previous != .zero else { return nil }
        guard let previous = try transaction.block(header.previous) else {
            return "the block before it is not here"
        }
        guard previous.replica == header.replica, previous.channel == header.channel,
            previous.lastCounter + 1 == header.firstCounter
        else { throw ProtocolError(.brokenLink, "the block does not continue the block that it names") }
        return nil
    }

    private func missingPin(_ body: BlockBody, channel: String) throws -> String? {
        for pin in body.pins where try transaction.block(pinnedBy: pin, channel: channel) == nil {
            return "a block of replica \(pin.replica) that it builds on is not here"
        }
        return nil
    }
}
