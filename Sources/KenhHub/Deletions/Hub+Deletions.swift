import KenhMerge
import KenhProtocol
import KenhStore

/// Deletions become final when everybody who may still write there has seen them: the log then says which writes every node
/// drops from its rows' states.
///
/// The centre waits for a place of a channel's log. A device acknowledges it by a sync that sends all that it has and whose
/// cursor stands there: what it writes from then on was written by somebody who knew of the deletion. Nothing depends on that
/// being so. Whoever is not waited for any more and edits the row all the same finds it gone, and keeps his edit in the list
/// of rejected changes.
extension Hub {
    /// What a request says of the places that are waited for.
    ///
    /// - Parameter hasAll: whether the log now has all that the device has.
    func acknowledged(
        _ cursors: [String: UInt64], hasAll: Bool, of device: RegisteredDevice, _ transaction: any HubTransaction
    ) throws -> [String: UInt64] {
        let awaited = try transaction.awaited()
        guard !awaited.isEmpty else { return [:] }
        let known = try transaction.acknowledgements(of: device.key)
        var moved: [String: UInt64] = [:]
        for (channel, awaited) in awaited {
            let (reached, before) = (min(cursors[channel] ?? 0, awaited.sequence), known[channel] ?? 0)
            // A device that was put back from a backup knows less than it had said.
            if reached < before || (hasAll && reached > before) { moved[channel] = reached }
        }
        return moved
    }

    /// Makes those deletions final that everybody has acknowledged, or for which was waited long enough.
    ///
    /// - Parameters:
    ///   - view: the centre's own tables, which have followed the log to its end.
    ///   - patience: after so many milliseconds nobody is waited for any more.
    func finishDeletions(in view: Store, patience: Int64) throws -> DeletionReport {
        let ready = try deletions().filter { $0.waiting.isEmpty || now() - $0.askedAtMilliseconds >= patience }
        var report = DeletionReport()
        guard !ready.isEmpty else { return report }
        let settled = Dictionary(uniqueKeysWithValues: ready.map { ($0.channel, $0.sequence) })
        let found = try view.deletedRows(settled: settled)
        try log.write { transaction in
            for (channel, parts) in found.sorted(by: { $0.key < $1.key }) {
                // The log may have been put back meanwhile.
                let known = try parts.filter { try transaction.block($0.hash)?.channel == channel }
                for finality in Finality.split(known) {
                    let bytes = try finality.encoded
                    if try transaction.contains(Finality.hash(of: bytes)) { continue }
                    try enterFinality(bytes, in: channel, acceptedAt: now(), transaction)
                    report.writes += finality.count
                }
                if !known.isEmpty { report.channels.append(channel) }
            }
            for channel in ready { try transaction.wait(for: nil, in: channel.channel) }
        }
        return report
    }

    /// Begins to wait for everybody's word where deleted rows are left.
    func awaitDeletions(in channels: Set<String>) throws {
        try log.write { transaction in
            let awaited = try transaction.awaited()
            for head in try transaction.heads() where channels.contains(head.channel) && awaited[head.channel] == nil {
                try transaction.wait(
                    for: AwaitedDeletions(sequence: head.sequence, askedAtMilliseconds: now()), in: head.channel)
            }
        }
    }

    /// Appends an entry, whose bytes have been checked.
    func enterFinality(
        _ bytes: [UInt8], in channel: String, acceptedAt: Int64, _ transaction: any HubTransaction
    ) throws {
        let entry = NewEntry(
            kind: .finality, channel: channel, object: Finality.hash(of: bytes), acceptedAtMilliseconds: acceptedAt,
            payload: bytes)
        _ = try append(entry, in: transaction)
    }

    /// Channels with deletions that are not final yet, and who has not acknowledged them.
    public func deletions() throws -> [DeletionSummary] {
        try log.read { transaction in
            let awaited = try transaction.awaited()
            guard !awaited.isEmpty else { return [] }
            let devices = try transaction.devices().filter { $0.revokedAtMilliseconds == nil && !$0.cell.isEmpty }
            let known = try devices.map { try transaction.acknowledgements(of: $0.key) }
            let rights = Rights(grants: try transaction.grants(of: nil), roles: try transaction.roles())
            return awaited.sorted { $0.key < $1.key }.map { channel, awaited in
                let waiting = zip(devices, known).filter { device, known in
                    rights.role(of: device.cell, in: channel).reads && known[channel] ?? 0 < awaited.sequence
                }
                return DeletionSummary(
                    channel: channel, sequence: awaited.sequence, askedAtMilliseconds: awaited.askedAtMilliseconds,
                    waiting: waiting.map(\.0))
            }
        }
    }

    /// What is deleted for good, in the log's order.
    public func finalDeletions() throws -> [FinalDeletion] {
        try log.read { transaction in
            try transaction.finalities().map { entry in
                let finality = try Finality(decoding: entry.payload)
                return FinalDeletion(
                    channel: entry.channel, sequence: entry.sequence,
                    acceptedAtMilliseconds: entry.acceptedAtMilliseconds, writes: finality.count,
                    blocks: finality.blocks.count)
            }
        }
    }
}

extension CentreView {
    /// Makes deletions final that everybody has seen, and begins to wait for the word on others.
    ///
    /// - Parameter patience: after so many milliseconds nobody is waited for any more.
    public func settleDeletions(patience: Int64) throws -> DeletionReport {
        try catchUp()
        let report = try hub.finishDeletions(in: store, patience: patience)
        if report.writes > 0 { try catchUp() }
        try hub.awaitDeletions(in: store.channelsWithDeletedRows())
        return report
    }
}
