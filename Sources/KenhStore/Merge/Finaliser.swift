import KenhMerge
import KenhProtocol

/// Drops from rows' states what the centre's log says is deleted for good, inside the caller's transaction and with
/// triggers off. What is merged later is dropped as it is merged.
struct Finaliser {
    let core: StoreCore

    struct Outcome {
        /// Entries that were not known.
        var finalities = 0
        var touchedTables: Set<Int> = []
        var rejections: [Rejection] = []
    }

    /// Writes entries down, before anything is merged.
    ///
    /// - Returns: those that were not known.
    func note(_ finalities: [Delivery.Finality]) throws -> [Delivery.Finality] {
        try finalities.filter { try core.finals.add($0) }
    }

    /// - Parameters:
    ///   - new: that were not known until now.
    ///   - adopted: channels whose rows were just taken from a snapshot, and the entry that it reaches to.
    func run(_ new: [Delivery.Finality], adopted: [(channel: String, sequence: UInt64)]) throws -> Outcome {
        var outcome = Outcome(finalities: new.count)
        var named = new
        for base in adopted { named += try core.finals.all(channel: base.channel, after: base.sequence) }
        let isAdopted = Set(adopted.map(\.channel))
        for (name, finalities) in Dictionary(grouping: named, by: \.proof.channel).sorted(by: { $0.key < $1.key }) {
            guard let channel = core.channels.find(name)?.number else { continue }
            let parts = finalities.flatMap(\.content.blocks)
            var (dots, rows, headless) = try find(parts, channel)
            guard !dots.isEmpty else { continue }
            // Where the bodies are not here, only the states tell whose writes these are.
            if headless || isAdopted.contains(name) { rows.formUnion(try rowsWith(dots, channel)) }
            try drop(dots, from: rows, channel, &outcome)
        }
        return outcome
    }

    private func find(
        _ parts: [Finality.BlockPart], _ channel: Int
    ) throws -> (dots: Set<Dot>, rows: Set<RowKey>, headless: Bool) {
        var (dots, rows, headless): (Set<Dot>, Set<RowKey>, Bool) = ([], [], false)
        for part in parts {
            guard let known = try core.index.block(hash: part.hash), known.isApplied, let branch = known.branch,
                try core.blocks.channel(of: part.hash) == channel,
                let first = try core.blocks.firstCounter(of: part.hash)
            else { continue }
            for place in part.changes.ranges.joined() {
                dots.insert(Dot(branch: UInt32(branch), counter: first &+ UInt64(place)))
            }
            guard let block = try core.blocks.block(part.hash) else {
                headless = true
                continue
            }
            let opened = try OpenedBlock(reopening: block, channel: channel, core)
            for place in part.changes.ranges.joined() where place < opened.body.count {
                rows.insert(RowKey(opened, place))
            }
        }
        return (dots, rows, headless)
    }

    private func rowsWith(_ dots: Set<Dot>, _ channel: Int) throws -> Set<RowKey> {
        var found: Set<RowKey> = []
        try core.rows.forEach(of: core.catalogue) { row, of, state in
            guard of == channel, state.writes.contains(where: { dots.contains($0.dot) }) else { return }
            found.insert(row)
        }
        return found
    }

    private func drop(
        _ dots: Set<Dot>, from rows: Set<RowKey>, _ channel: Int, _ outcome: inout Outcome
    ) throws {
        let pass = MergePass([], core: core)
        var orphans: [Hash256: Rejection] = [:]
        for row in rows.sorted(by: RowKey.precedes) {
            guard let table = core.catalogue.tables[row.table] else { throw BranchIndex.damaged }
            guard let dropped = try pass.drop(dots, from: row, of: table, channel: channel) else { continue }
            outcome.touchedTables.insert(row.table)
            guard !dropped.left.isEmpty, !dropped.left.contains(where: { $0.columns.contains(.existence) }) else {
                continue
            }
            for write in dropped.left { try note(write, dropped.line, table, &orphans) }
        }
        pass.finishAdopting()
        outcome.rejections += orphans.values.sorted { $0.block.hash < $1.block.hash }
    }

    /// An edit of a row that is deleted for good: nobody sees it any more.
    private func note(
        _ write: Write, _ line: [Value]?, _ table: LocalTable, _ orphans: inout [Hash256: Rejection]
    ) throws {
        let place = try core.index.place(of: write.dot)
        guard let block = try core.blocks.block(place.hash) else { return }
        var rejection = orphans[place.hash] ?? Rejection(block, Rejection.deleted(ChangeSet()))
        let change = Int(place.index)
        rejection.ruling = Rejection.deleted(rejection.ruling.struck.union(ChangeSet([change])))
        if let line, let declared = table.declared {
            // Erasable values stay where an erasure finds them.
            let kept = zip(declared.columns, line).filter { !$0.0.isErasable }
            rejection.rows[change] = Dictionary(uniqueKeysWithValues: kept.map { ($0.0.name, $0.1) })
        }
        orphans[place.hash] = rejection
    }
}

/// Changes of one block that nobody merges, for whoever wrote them.
struct Rejection {
    let block: Block
    var ruling: Ruling
    /// What the change's row showed until now.
    var rows: [Int: [String: Value]] = [:]

    init(_ block: Block, _ ruling: Ruling) { (self.block, self.ruling) = (block, ruling) }

    static func deleted(_ changes: ChangeSet) -> Ruling {
        Ruling(
            struck: changes, code: "rowDeleted",
            message: "the row that was changed had been deleted for good; whoever may add it can enter it anew")
    }

    static func struck(_ changes: ChangeSet) -> Ruling {
        Ruling(
            struck: changes, code: "rowStruck",
            message: "the row that was changed was struck; whoever may add it can enter it anew")
    }
}
