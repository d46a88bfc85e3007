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
        var orphans = Orphans(core: core)
        for row in rows.sorted(by: RowKey.precedes) {
            guard let table = core.catalogue.tables[row.table] else { throw BranchIndex.damaged }
            guard let dropped = try pass.drop(dots, from: row, of: table, channel: channel) else { continue }
            outcome.touchedTables.insert(row.table)
            try orphans.add(dropped.left, of: table, showing: dropped.line)
        }
        pass.finishAdopting()
        outcome.rejections += orphans.rejections
    }
}

/// Edits of rows that are deleted for good: nobody sees them any more.
struct Orphans {
    private let core: StoreCore
    private var found: [Hash256: Rejection] = [:]
    /// Rows in which writes are dropped as they are merged, and what they showed before.
    private var rows: [(channel: Int, row: RowKey, table: LocalTable, line: [Value]?)] = []

    init(core: StoreCore) { self.core = core }

    var rejections: [Rejection] { found.values.sorted { $0.block.hash < $1.block.hash } }

    /// - Parameters:
    ///   - left: what is left of a row's state.
    ///   - line: what the row showed until now.
    mutating func add(_ left: [Write], of table: LocalTable, showing line: [Value]?) throws {
        guard !left.contains(where: { $0.columns.contains(.existence) }) else { return }
        for write in left { try add(write, line, table) }
    }

    private mutating func add(_ write: Write, _ line: [Value]?, _ table: LocalTable) throws {
        let place = try core.index.place(of: write.dot)
        guard let block = try core.blocks.block(place.hash) else { return }
        var rejection = found[place.hash] ?? Rejection(block, Rejection.deleted(ChangeSet()))
        let change = Int(place.index)
        rejection.ruling = Rejection.deleted(rejection.ruling.struck.union(ChangeSet([change])))
        if let line, let declared = table.declared {
            // Erasable values stay where an erasure finds them.
            let kept = zip(declared.columns, line).filter { !$0.0.isErasable }
            rejection.rows[change] = Dictionary(uniqueKeysWithValues: kept.map { ($0.0.name, $0.1) })
        }
        found[place.hash] = rejection
    }

    // MARK: while blocks are merged

    /// Before blocks are merged of whose writes some are dropped at once.
    mutating func look(at blocks: [OpenedBlock]) throws {
        var seen: [Int: Set<RowKey>] = [:]
        for block in blocks where !block.final.isEmpty {
            for change in block.final.ranges.joined() where change < block.body.count {
                let row = RowKey(block, change)
                guard seen[block.channel, default: []].insert(row).inserted else { continue }
                let table = block.table(change)
                let states = try core.rows.states(table: table, id: row.id)
                let isShown = row.id.withUnsafeBytes {
                    core.shownChannel(states, table: table, id: $0) == block.channel
                }
                let line =
                    isShown && table.declared != nil ? try TableLine(core: core, table: table).read(id: row.id) : nil
                rows.append((block.channel, row, table, line))
            }
        }
    }

    /// After they were merged.
    mutating func lookAgain() throws {
        for (channel, row, table, line) in rows {
            guard let state = try core.rows.states(table: table, id: row.id)[channel] else { continue }
            try add(state.writes, of: table, showing: line)
        }
        rows = []
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
