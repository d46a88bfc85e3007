import KenhCell
import KenhMerge
import KenhStore

extension Simulation {
    /// After so many rounds everybody must have everything.
    static let roundLimit = 4

    /// Mends all lines and clocks, lets everybody sync, and checks what must hold then; and once more after all have
    /// the newest schema.
    func heal() throws {
        for (cell, link) in zip(cells, links) {
            cell.clock.set(offset: 0)
            link.percent = 0
        }
        try settle()
        try check(isDeep: false)
        for cell in cells where cell.schema.version < SimulatedSchema.second.version {
            cell.upgrade(to: SimulatedSchema.second)
        }
        try settle()
        try check(isDeep: true)
        try checkTables()
        try checkLedger()
        for node in nodes { trace.add("\(node.number) \(try digests(node))") }
    }

    private func settle() throws {
        var open: [String] = []
        for _ in 0..<Self.roundLimit {
            world.advance(milliseconds: 1_000)
            try centre.catchUp()
            open = []
            for cell in cells { open += try settle(cell) }
            try centre.catchUp()
            for cell in cells { open += try unsettled(cell) }
            if open.isEmpty { return }
        }
        throw SimulationFailure("not settled after \(Self.roundLimit) rounds: \(open)")
    }

    private func settle(_ cell: SimulatedNode) throws -> [String] {
        let report = try run(cell, up: 4 << 20, down: 8 << 20)
        guard report.unequalChannels.isEmpty else {
            throw SimulationFailure("cell \(cell.number) differs from the centre in \(report.unequalChannels)")
        }
        return report.refusals
    }

    private func unsettled(_ cell: SimulatedNode) throws -> [String] {
        let status = try cell.store().status()
        let mine = try cell.store().cursors().filter { $0.sequence > 0 }
        let theirs = try centre.node.store().cursors().filter { $0.sequence > 0 }
        let behind = (mine.filter { !theirs.contains($0) } + theirs.filter { !mine.contains($0) }).map(\.channel)
        let counts = [status.pendingChanges, status.unsentBlocks, status.heldBlocks]
        let compared = try cell.store().settledDigests().count
        guard compared < status.channels.count || !behind.isEmpty else { return [] }
        let why = try cell.store().notices().filter { $0.code == "unreadable" }.map(\.message)
        return ["cell \(cell.number): \(counts) pending, unsent, held, behind in \(behind) \(why)"]
    }
}
