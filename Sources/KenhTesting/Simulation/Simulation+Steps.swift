import KenhHub
import KenhMerge
import KenhStore

extension Simulation {
    func perform(_ step: SimulationStep) throws -> String {
        let node = node(step.node)
        node.disk.limit(roomBytes: nil)
        return try guarded(node) {
            try arm(step.hazard, node)
            return try act(step, node)
        }
    }

    private func arm(_ hazard: SimulationStep.Hazard, _ node: SimulatedNode) throws {
        switch hazard {
        case .none: break
        case .disk(let fault, let after): node.disk.arm(fault, after: after)
        case .centreDisk(let fault, let after): centre.node.disk.arm(fault, after: after)
        case .fullDisk(let bytes): node.disk.limit(roomBytes: bytes)
        case .log(let fault): try centre.log().fail(fault)
        }
    }

    private func act(_ step: SimulationStep, _ node: SimulatedNode) throws -> String {
        switch step.action {
        case .work: return try work(node, salt: step.salt)
        case .importRows(let rows): return try importRows(rows, node, salt: step.salt)
        case .decide: return try decide(node, salt: step.salt)
        case .sync: return node.number == 0 ? try catchUp() : try beginSync(node, salt: step.salt)
        case .replay: return replay(node, salt: step.salt)
        case .crash: crash(node)
        case .backUp: try backUp(node)
        case .restore: return restore(node)
        case .clone: return clone(node, salt: step.salt)
        case .upgrade: upgrade(node)
        case .grant(let cell, let channel, let role): return try grant(cell, channel, role)
        case .erase(let row): return try erase(row, salt: step.salt)
        case .settleDeletions(let patience): return try settleDeletions(patience)
        case .revoke(let cell): return try revoke(cell)
        case .attach(let bytes): return try attach(bytes, node, salt: step.salt)
        case .carry: return try carry(node, salt: step.salt)
        case .setClock(let offset, let drift): setClock(node, offset, drift)
        case .part(let cells, let milliseconds): part(node, cells, milliseconds)
        case .halfOpen(let milliseconds): halfOpen(node, milliseconds)
        }
        return "done"
    }

    func catchUp() throws -> String {
        centre.node.losers = nil
        try centre.catchUp()
        acknowledge(0, ledger.count)
        return "caught up"
    }

    private func replay(_ node: SimulatedNode, salt: UInt64) -> String {
        guard node.number > 0 else { return "nobody" }
        lines[node.number - 1].random = SeededGenerator(seed: salt)
        guard let sending = lines[node.number - 1].again() else { return "nothing" }
        count(.oldRequest)
        schedule(.request(sending), after: Int64(salt % 100))
        return "replayed"
    }

    /// The process ends; the machine stays.
    private func crash(_ node: SimulatedNode) {
        count(node.number == 0 ? .centreCrash : .cellCrash)
        end(node)
    }

    /// Ends all that runs on the machine.
    func end(_ node: SimulatedNode) {
        abort(node)
        if node.number == 0 { centre.close() } else { node.close() }
    }

    private func upgrade(_ node: SimulatedNode) {
        guard node.number != 0, node.schema.version < SimulatedSchema.second.version else { return }
        count(.mixedSchemas)
        abort(node)
        node.upgrade(to: SimulatedSchema.second)
    }

    private func setClock(_ node: SimulatedNode, _ offset: Int64, _ drift: Int64) {
        guard node.number != 0 else { return }
        let year: Int64 = 365 * 24 * 3_600_000
        count(offset >= year ? .clockYearsAhead : offset <= -year ? .clockYearsBack : .clockOff)
        if drift != 0 { count(.clockDrift) }
        node.clock.set(offset: offset, driftPerThousand: drift)
    }

    // MARK: lines

    private func part(_ node: SimulatedNode, _ cells: Int, _ milliseconds: Int64) {
        for i in 0..<cells {
            let at = (max(node.number, 1) - 1 + i) % lines.count
            lines[at].isPartedUntil = world.milliseconds + milliseconds
        }
    }

    private func halfOpen(_ node: SimulatedNode, _ milliseconds: Int64) {
        guard node.number > 0 else { return }
        lines[node.number - 1].isHalfOpenUntil = world.milliseconds + milliseconds
    }

    // MARK: copies of disks

    /// What a machine has written up to `end`, itself or before it was cloned, is at the centre.
    func acknowledge(_ number: Int, _ end: Int) {
        acknowledged[number] = end
        sealed[number] = end
    }

    /// What was not sealed on a disk is sealed once more by its second life.
    private func mayRepeat(_ number: Int, to end: Int) {
        let first = sealed[number] ?? 0
        var (number, end) = (number, end)
        while true {
            ledger.mayRepeat(number, from: first, to: end)
            guard let origin = origins[number] else { return }
            (number, end) = (origin.node, min(end, origin.ledger))
        }
    }

    private func backUp(_ node: SimulatedNode) throws {
        // Opened first: a backup of nothing is none.
        if node.number == 0 { _ = try centre.hub() } else { _ = try node.store() }
        backups[node.number] = (node.disk.copy(seed: 0), node.blobs.copy(), ledger.count, sealed[node.number] ?? 0)
    }

    private func restore(_ node: SimulatedNode) -> String {
        guard let backup = backups[node.number] else { return "no backup" }
        abort(node)
        sealed[node.number] = backup.sealed
        mayRepeat(node.number, to: backup.ledger)
        node.blobs.replace(with: backup.blobs)
        if node.number == 0 {
            count(.centreRestored)
            centre.putBack(backup.disk)
            ledger.doubt(0, after: backup.ledger)
        } else {
            count(.cellRestored)
            node.putBack(backup.disk)
            ledger.doubt(node.number, after: max(backup.ledger, acknowledged[node.number] ?? 0))
        }
        return "restored"
    }

    /// No more than two, so that a run stays what it was meant to be.
    private func clone(_ node: SimulatedNode, salt: UInt64) -> String {
        guard node.number > 0, cells.count < plan.cellCount + 2 else { return "no clone" }
        count(.cloned)
        // What is not sealed is sealed on both machines.
        mayRepeat(node.number, to: ledger.count)
        let clone = node.clone(number: cells.count + 1, world: world, seed: salt)
        sealed[clone.number] = sealed[node.number]
        origins[clone.number] = (node.number, ledger.count)
        cells.append(clone)
        lines.append(Line(cell: clone.number))
        return "cloned to \(clone.number)"
    }
}
