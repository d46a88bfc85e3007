import KenhMerge
import KenhProtocol

/// A row as this node numbers its table.
struct RowKey: Hashable {
    let table: Int
    let id: [UInt8]

    init(table: Int, id: [UInt8]) { (self.table, self.id) = (table, id) }

    static func precedes(_ a: RowKey, _ b: RowKey) -> Bool {
        a.table != b.table ? a.table < b.table : a.id.lexicographicallyPrecedes(b.id)
    }

    init(_ block: OpenedBlock, _ change: Int) {
        self.init(table: block.table(change).number, id: Array(block.body.id(of: change)))
    }
}

/// Makes rows of one channel anew from its merged blocks, because changes of them were struck after they were merged.
/// Reads all blocks of the channel.
struct RowRebuild {
    let core: StoreCore
    let channel: Int

    private static let changesPerPass = 10_000

    /// Changes of a row whose insert was struck: they are in its state, and nobody sees them.
    struct Orphans {
        let block: Block
        var changes: ChangeSet
    }

    /// - Returns: what nobody sees any more.
    func run(_ struckRows: Set<RowKey>) throws -> [Orphans] {
        guard try SnapshotTable(core: core).base(of: channel)?.state != .adopted else {
            throw SnapshotAdoption.unusable(
                core, channel, "rows of a channel that began with a snapshot have to be made anew")
        }
        let (order, naming) = try survey()
        let rows = struckRows.union(naming)
        for row in rows { try takeOut(row) }
        var changes: [RowKey: [(block: Block, change: Int)]] = [:]
        var ready: [OpenedBlock] = []
        var count = 0
        for hash in order {
            guard let opened = try reopen(hash) else { continue }
            let places = (0..<opened.body.count).filter {
                !opened.struck.contains($0) && rows.contains(RowKey(opened, $0))
            }
            guard !places.isEmpty else { continue }
            for place in places { changes[RowKey(opened, place), default: []].append((opened.block, place)) }
            ready.append(opened)
            count += opened.body.count
            guard count >= Self.changesPerPass else { continue }
            try MergePass(ready, core: core, only: rows).run()
            (ready, count) = ([], 0)
        }
        try MergePass(ready, core: core, only: rows).run()
        try showOthers(rows)
        return try orphans(changes)
    }

    private func orphans(_ changes: [RowKey: [(block: Block, change: Int)]]) throws -> [Orphans] {
        var orphans: [Hash256: Orphans] = [:]
        for (row, changes) in changes {
            guard let table = core.catalogue.tables[row.table],
                let state = try core.rows.states(table: table, id: row.id)[channel],
                !state.writes.contains(where: { $0.columns.contains(.existence) })
            else { continue }
            for (block, change) in changes {
                let known = orphans[block.hash]?.changes ?? ChangeSet()
                orphans[block.hash] = Orphans(block: block, changes: known.union(ChangeSet([change])))
            }
        }
        return orphans.values.sorted { $0.block.hash < $1.block.hash }
    }

    /// Whatever is left of a row is in its blocks.
    private func takeOut(_ row: RowKey) throws {
        guard let table = core.catalogue.tables[row.table] else { throw BranchIndex.damaged }
        let states = try core.rows.states(table: table, id: row.id)
        guard let state = states[channel] else { return }
        try row.id.withUnsafeBytes { id in
            let digest = try state.digest(
                row: table.rowSeed(id), columns: table.columnSeeds, place: core.index.place(of:))
            core.channels.add(Digest128.zero - digest, to: channel)
            if core.shownChannel(states, table: table, id: id) == channel, table.declared != nil {
                try TableLine(core: core, table: table).delete(id: row.id)
            }
            try core.rows.remove(table: table, id: id, channel: channel)
        }
    }

    /// Where nothing is left of the row, one of the same id in another channel may be shown now.
    private func showOthers(_ rows: Set<RowKey>) throws {
        let pass = MergePass([], core: core)
        for row in rows {
            guard let table = core.catalogue.tables[row.table], table.declared != nil,
                try !core.rows.states(table: table, id: row.id).isEmpty
            else { continue }
            try pass.showKept(table: table, id: row.id)
        }
    }

    // MARK: blocks

    /// The channel's merged blocks in an order in which each comes after what it builds on, and the rows with changes that
    /// name what was struck: a change may name what is of another row. It has no business to; but then it names what that
    /// named.
    private func survey() throws -> (order: [Hash256], naming: Set<RowKey>) {
        let struck = try core.struck.all()
        var naming: Set<RowKey> = []
        var waiting: [(hash: Hash256, needs: [Hash256])] = []
        var named: [Dot] = []
        try core.blocks.forEach(channel: channel, onlyApplied: true) { block, _, _ in
            let opened = try OpenedBlock(reopening: block, channel: channel, core)
            for change in 0..<opened.body.count {
                named.removeAll(keepingCapacity: true)
                opened.named(by: change, core.index, into: &named)
                if named.contains(where: struck.contains) { naming.insert(RowKey(opened, change)) }
            }
            var needs = try opened.body.pins.compactMap { try core.index.block(pinnedBy: $0, channel: channel)?.hash }
            if block.header.previous != .zero { needs.append(block.header.previous) }
            waiting.append((block.hash, needs))
        }
        return (try Self.causalOrder(waiting), naming)
    }

    /// Blocks may have come before what they build on, and waited for it.
    private static func causalOrder(_ blocks: [(hash: Hash256, needs: [Hash256])]) throws(StoreError) -> [Hash256] {
        var order: [Hash256] = []
        var done: Set<Hash256> = []
        var waiting = blocks
        while !waiting.isEmpty {
            let before = waiting.count
            waiting = waiting.filter { block in
                guard block.needs.allSatisfy({ done.contains($0) }) else { return true }
                done.insert(block.hash)
                order.append(block.hash)
                return false
            }
            guard waiting.count < before else { throw BranchIndex.damaged }
        }
        return order
    }

    private func reopen(_ hash: Hash256) throws -> OpenedBlock? {
        guard let block = try core.blocks.block(hash) else { return nil }
        return try OpenedBlock(reopening: block, channel: channel, core)
    }
}

extension OpenedBlock {
    /// A block that was merged before.
    convenience init(reopening block: Block, channel: Int, _ core: StoreCore) throws {
        guard let branch = try core.index.block(hash: block.hash)?.branch else { throw BranchIndex.damaged }
        var body = try core.codec.open(block)
        var branches = [branch]
        for pin in body.pins {
            guard let pinned = try core.index.block(pinnedBy: pin, channel: channel) else { throw BranchIndex.damaged }
            branches.append(pinned.branch)
        }
        try core.births.complete(&body, branches: branches)
        let acceptance = try core.blocks.acceptance(of: block.hash)
        self.init(
            block, body: body, channel: channel, branches: branches, acceptedAt: acceptance?.acceptedAt,
            struck: acceptance?.ruling?.struck ?? ChangeSet(), final: try core.finals.changes(of: block.hash))
        try meetTables(core.catalogue, core.sql)
    }
}
