import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension Simulation {
    /// - Returns: what came of it, the same in every run.
    func perform(_ step: SimulationStep) throws -> String {
        let node = node(step.node)
        node.random.reseed(step.salt)
        centre.node.random.reseed(step.salt &+ 1)
        world.advance(milliseconds: 1 + Int64(step.salt % 20_000))
        try arm(step.hazard, node)
        var result: String
        do { result = try act(step, node) } catch let error as CellError {
            result = "\(error.code)"
        } catch let error as ProtocolError where link(of: node)?.hasSpoiledAnswer == true {
            result = "\(error.code)"
        } catch let error as StoreError where isExpected(error, step.hazard, node) {
            result = "\(error.code)"
        }
        result += try disarm(step.hazard, node)
        return result
    }

    private func link(of node: SimulatedNode) -> FaultyLink? { node.number == 0 ? nil : links[node.number - 1] }

    // MARK: hazards

    private func arm(_ hazard: SimulationStep.Hazard, _ node: SimulatedNode) throws {
        switch hazard {
        case .none: break
        case .death(let reads): node.die(afterReads: reads)
        case .centreDeath(let reads): centre.node.die(afterReads: reads)
        case .fullDisk(let pages): try node.limitDisk(pages: pages)
        case .log(let fault): try centre.log().fail(fault)
        }
    }

    private func isExpected(_ error: StoreError, _ hazard: SimulationStep.Hazard, _ node: SimulatedNode) -> Bool {
        switch hazard {
        case .fullDisk where error.code == .diskFull:
            count(node.number == 0 ? .centreDiskFull : .cellDiskFull)
            return true
        case .log: return node.number == 0
        default: return false
        }
    }

    private func disarm(_ hazard: SimulationStep.Hazard, _ node: SimulatedNode) throws -> String {
        switch hazard {
        case .none: return ""
        case .death, .centreDeath:
            let centreDied = try centre.rise()
            let cellDied = try node.number != 0 && node.rise()
            if centreDied { count(.centreKill) }
            if cellDied { count(.cellKill) }
            return centreDied || cellDied ? ", died" : ""
        case .fullDisk:
            try node.unlimitDisk()
            return ""
        case .log(let fault):
            guard try centre.log().fail(nil) == nil else { return "" }
            count([.refused: .logRefused, .rolledBack: .logRolledBack, .unknown: .logUnknown][fault] ?? .logRefused)
            return ", log \(fault)"
        }
    }

    // MARK: actions

    private func act(_ step: SimulationStep, _ node: SimulatedNode) throws -> String {
        switch step.action {
        case .work: return try work(node, salt: step.salt)
        case .importRows(let rows): return try importRows(rows, node, salt: step.salt)
        case .decide: return try decide(node, salt: step.salt)
        case .sync: return node.number == 0 ? try catchUp() : try sync(node, salt: step.salt)
        case .replay: return replay(node, salt: step.salt)
        case .crash: crash(node)
        case .backUp: try backUp(node)
        case .restore: return try restore(node)
        case .upgrade: upgrade(node)
        case .setClock(let offset, let drift): setClock(node, offset, drift)
        case .pass(let milliseconds): world.advance(milliseconds: milliseconds)
        }
        return "done"
    }

    func catchUp() throws -> String {
        try centre.catchUp()
        if !centre.node.isDead { acknowledged[0] = ledger.count }
        return "\(try digests(centre.node))"
    }

    func sync(_ cell: SimulatedNode, salt: UInt64) throws -> String {
        let link = links[cell.number - 1]
        var random = SeededGenerator(seed: salt)
        link.percent = plan.linkPercent
        link.random = SeededGenerator(seed: random.next())
        link.hasSpoiledBlock = false
        let limits = [500, 5_000, 4 << 20]
        let report = try run(cell, up: random.pick(limits) ?? 500, down: random.pick(limits) ?? 500)
        guard !cell.isDead else { return "dead" }
        if link.hasSpoiledAnswer { throw SimulationFailure("the cell took a spoiled block in") }
        guard report.refusals.isEmpty || link.hasSpoiledBlock else {
            throw SimulationFailure("the centre refused: \(report.refusals)")
        }
        guard report.unequalChannels.isEmpty else {
            throw SimulationFailure("digests differ from the centre's in \(report.unequalChannels)")
        }
        if report.refusals.isEmpty { acknowledged[cell.number] = ledger.count }
        return "\(report) \(try digests(cell))"
    }

    func run(_ cell: SimulatedNode, up: Int, down: Int) throws -> SyncReport {
        var sync = CellSync(
            store: try cell.store(), identity: cell.identity, centre: centre.servingKey, link: links[cell.number - 1],
            clock: { cell.clock.milliseconds })
        sync.options.upLimitBytes = up
        sync.options.downLimitBytes = down
        return try sync.run()
    }

    func digests(_ node: SimulatedNode) throws -> String {
        try node.store().settledDigests().sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.bytes.hex)" }
            .joined(separator: ", ")
    }

    private func replay(_ node: SimulatedNode, salt: UInt64) -> String {
        guard let link = link(of: node) else { return "nobody" }
        link.random = SeededGenerator(seed: salt)
        guard link.replayOld() else { return "nothing" }
        count(.oldRequest)
        return "replayed"
    }

    private func crash(_ node: SimulatedNode) {
        count(node.number == 0 ? .centreCrash : .cellCrash)
        if node.number == 0 { centre.close() } else { node.close() }
    }

    private func upgrade(_ node: SimulatedNode) {
        guard node.number != 0, node.schema.version < SimulatedSchema.second.version else { return }
        count(.mixedSchemas)
        node.upgrade(to: SimulatedSchema.second)
    }

    private func setClock(_ node: SimulatedNode, _ offset: Int64, _ drift: Int64) {
        guard node.number != 0 else { return }
        let year: Int64 = 365 * 24 * 3_600_000
        count(offset >= year ? .clockYearsAhead : offset <= -year ? .clockYearsBack : .clockOff)
        if drift != 0 { count(.clockDrift) }
        node.clock.set(offset: offset, driftPerThousand: drift)
    }

    // MARK: backups

    private func backup(of node: SimulatedNode) -> URL { folder.appending(path: "backup-\(node.number)") }

    private func backUp(_ node: SimulatedNode) throws {
        // Opened first: a backup of nothing is none.
        if node.number == 0 { _ = try centre.hub() } else { _ = try node.store() }
        try node.copy(to: backup(of: node))
        backups[node.number] = ledger.count
        unsealed[node.number] = acknowledged[node.number] ?? 0
    }

    private func restore(_ node: SimulatedNode) throws -> String {
        guard let written = backups[node.number] else { return "no backup" }
        ledger.mayRepeat(node.number, from: unsealed[node.number] ?? 0, to: written)
        if node.number == 0 {
            count(.centreRestored)
            try centre.putBack(backup(of: node))
            ledger.doubt(0, after: written)
        } else {
            count(.cellRestored)
            try node.putBack(backup(of: node))
            ledger.doubt(node.number, after: max(written, acknowledged[node.number] ?? 0))
        }
        return "restored"
    }
}
