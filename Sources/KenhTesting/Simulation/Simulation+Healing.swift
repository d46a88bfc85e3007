import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore

extension Simulation {
    /// After so many rounds everybody must have everything.
    static let roundLimit = 4

    /// Mends all lines, disks and clocks, lets everybody sync, and checks what must hold then; and once more after all
    /// have the newest schema.
    func heal() throws {
        queue.removeAll()
        centre.openLog?.fail(nil)
        for node in nodes {
            abort(node)
            node.disk.disarm()
            node.disk.limit(roomBytes: nil)
            node.clock.set(offset: 0)
        }
        try letAllRead()
        try dismissRevoked()
        try settle()
        try checkDigests()
        for cell in cells where cell.schema.version < SimulatedSchema.second.version {
            cell.upgrade(to: SimulatedSchema.second)
        }
        try settle()
        try eraseAgain()
        try settle()
        try finishDeletions()
        try checkErased()
        try checkStores()
        try checkDigests()
        try checkTables()
        try checkLedger()
        try checkAttachments()
        try checkNewcomer()
        for node in nodes { trace.add("\(node.number) \(try digests(node))") }
    }

    private func digests(_ node: SimulatedNode) throws -> String {
        try node.store().settledDigests().sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.bytes.hex)" }
            .joined(separator: ", ")
    }

    func settle() throws {
        var open: [String] = []
        for _ in 0..<Self.roundLimit {
            world.advance(milliseconds: 1_000)
            SQLiteTime.set(world.milliseconds)
            try centre.catchUp()
            open = []
            for cell in cells { open += try settle(cell) }
            try centre.catchUp()
            for cell in cells { open += try unsettled(cell) }
            if open.isEmpty { return }
        }
        throw SimulationFailure("not settled after \(Self.roundLimit) rounds: \(open)")
    }

    func settle(_ cell: SimulatedNode) throws -> [String] {
        let link = MendedLine(answer: { [unowned self] in
            try noteChannels(cell)
            return try centre.answer($0, from: cell.identity.key.publicKey)
        })
        let sync = CellSync(
            store: try cell.store(), identity: cell.identity, centre: ServingKeys(centre.servingKey), link: link,
            clock: { cell.clock.milliseconds })
        let report = try sync.run()
        try noteChannels(cell)
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
