import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// Reads all attachments of a home. Damaged ones are set aside, so that they are fetched or given again.
struct AttachmentCheck {
    let home: Home
    let store: Store

    func problems() throws -> [String] {
        guard try home.role(store) == .cell else {
            return try home.shelf(try .init(home: home)).verify { done, all in
                if StandardError.isTerminal, done % 16 == 0 { Progress.show("\(done) of \(all) attachments") }
            }.problems
        }
        var problems: [String] = []
        var checked: Set<Hash256> = []
        for transfer in try store.transfers() where checked.insert(transfer.hash).inserted {
            if let problem = try problem(transfer) { problems.append(problem) }
        }
        return problems
    }

    private func problem(_ transfer: Transfer) throws -> String? {
        let files = home.attachments
        // One that is still to be fetched is not missed.
        if transfer.direction == .down, !transfer.isDone, try files.size(of: transfer.hash) == nil { return nil }
        let isGood = try files.isGood(transfer.hash)
        guard isGood != true else { return nil }
        if isGood == false { try files.setAside(transfer.hash) }
        let what = isGood == false ? "is damaged and was set aside" : "is lacking"
        guard transfer.isDone else {
            return "the attachment \(transfer.hash) \(what), and was not sent yet; attach its file again"
        }
        try store.add(
            Transfer(
                hash: transfer.hash, channel: transfer.channel, direction: .down, size: transfer.size,
                type: transfer.type))
        return "the attachment \(transfer.hash) \(what); the next sync fetches it again"
    }
}
