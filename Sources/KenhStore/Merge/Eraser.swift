import KenhMerge
import KenhProtocol

/// Takes erased values out of everything that a store keeps, inside the caller's transaction and with triggers off: out
/// of blocks, and out of rows, which are made anew from them. What stays in freed pages goes with ``Store/clean()``.
struct Eraser {
    let core: StoreCore

    struct Outcome {
        /// Entries that were not known.
        var erasures = 0
        var touchedTables: Set<Int> = []
    }

    func adopt(_ erasures: [Delivery.Erasure]) throws -> Outcome {
        var outcome = Outcome()
        var rows: [Int: Set<RowKey>] = [:]
        for erasure in erasures where try core.erasures.add(erasure) {
            outcome.erasures += 1
            for part in erasure.content.blocks {
                try refuseBase(of: part.hash, erasure.proof)
                try erase(part, of: erasure.proof.channel, &rows)
            }
            try SeenSnapshotTable(sql: core.sql).forget(in: erasure.proof.channel)
        }
        for (channel, rows) in rows.sorted(by: { $0.key < $1.key }) {
            outcome.touchedTables.formUnion(rows.map(\.table))
            _ = try RowRebuild(core: core, channel: channel).run(rows)
        }
        // Pages that were freed long ago may hold what is here no more.
        if outcome.erasures > 0 { try core.askForCleaning() }
        return outcome
    }

    /// A snapshot that was named before has the value, and only its blocks could tell in which row. One that was named
    /// since was made without it.
    private func refuseBase(of block: Hash256, _ proof: EntryProof) throws {
        guard try core.blocks.isHead(block), let channel = try core.blocks.channel(of: block),
            let base = try SnapshotTable(core: core).base(of: channel), base.proof.sequence < proof.sequence
        else { return }
        throw SnapshotAdoption.unusable(core, channel, "values were erased that the channel's snapshot has")
    }

    private func erase(
        _ part: Erasure.BlockPart, of channelName: String, _ rows: inout [Int: Set<RowKey>]
    ) throws {
        let names = try core.erasures.names(of: part.hash)
        try RejectedTable(sql: core.sql).erase(names, of: part.hash)
        guard let block = try core.blocks.block(part.hash), block.header.channel == channelName,
            let body = try? core.codec.open(block), let erased = try block.erasing(body, where: names.contains)
        else { return }
        try core.blocks.setDetached(erased.detached, of: part.hash)
        guard try core.index.block(hash: part.hash)?.isApplied == true else { return }
        let channel = try core.channels.number(channelName)
        let opened = try OpenedBlock(reopening: erased, channel: channel, core)
        for change in part.changes where change.place < body.count {
            rows[channel, default: []].insert(RowKey(opened, change.place))
        }
    }
}
