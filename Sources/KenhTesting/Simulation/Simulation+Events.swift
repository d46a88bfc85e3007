import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension Simulation {
    /// How long a cell waits for an answer.
    static let patienceMilliseconds: Int64 = 30_000

    /// - Returns: what came of it, the same in every run.
    func perform(_ event: SimulationEvent) throws -> String {
        switch event {
        case .step(let number):
            defer { schedule(step: number + 1) }
            return try perform(plan.steps[number])
        case .request(let sending): return try arrive(sending)
        case .answer(let parcel, let cell, let connection, let damage):
            return try arrive(parcel, node(cell), connection, damage)
        case .silence(let cell, _): return try giveUp(node(cell))
        case .catchUp:
            isCatchUpDue = false
            return try guarded(centre.node) { try catchUp() }
        }
    }

    /// Runs what a machine does, with its time, and sees to it that it comes up again where it died.
    ///
    /// Errors are good as long as something struck a disk meanwhile.
    func guarded(_ node: SimulatedNode, _ body: () throws -> String) throws -> String {
        node.random.reseed(UInt64(eventCount) &* 0x9E37 ^ plan.seed)
        centre.node.random.reseed(UInt64(eventCount) &* 0x79B9 ^ plan.seed)
        SQLiteTime.set(node.clock.milliseconds)
        isStruck = false
        var result: String
        do {
            result = try body()
            lookAtDisks()
        } catch {
            lookAtDisks()
            guard isAccountedFor(error, node) else { throw error }
            result = Self.word(error)
        }
        return isStruck ? result + ", struck" : result
    }

    private static func word(_ error: any Error) -> String {
        switch error {
        case let error as CellError: "\(error.code)"
        case let error as StoreError: "\(error.code)"
        case let error as ProtocolError: "\(error.code)"
        case let error as HubError: "\(error.code)"
        default: "\(error)"
        }
    }

    private func isAccountedFor(_ error: any Error, _ node: SimulatedNode) -> Bool {
        switch error {
        case is SimulationFailure: false
        case is CellError: true
        case is ProtocolError: node.number > 0 && lines[node.number - 1].hasSpoiledAnswer
        default: isStruck
        }
    }

    /// Counts what struck since the last look, and brings up those that are down.
    func lookAtDisks() {
        let log = centre.openLog?.takeStruck() ?? []
        for fault in log {
            count(fault == .refused ? .logRefused : fault == .rolledBack ? .logRolledBack : .logUnknown)
        }
        isStruck = isStruck || !log.isEmpty
        for node in nodes {
            let (tally, before) = (node.disk.tally, node.struck)
            guard tally != before else { continue }
            node.struck = tally
            let isCentre = node.number == 0
            isStruck = isStruck || tally.strikes > before.strikes
            count(isCentre ? .centrePowerCut : .cellPowerCut, tally.cuts - before.cuts)
            count(isCentre ? .centreKill : .cellKill, tally.kills - before.kills)
            count(isCentre ? .centreFailedIO : .cellFailedIO, tally.failures - before.failures)
            count(isCentre ? .centreDiskFull : .cellDiskFull, tally.refusals - before.refusals)
            if tally.cuts > before.cuts { node.blobs.cutPower() }
            count(.sectorDropped, tally.dropped - before.dropped)
            count(.sectorTorn, tally.torn - before.torn)
            guard node.disk.isDown else { continue }
            abort(node)
            if isCentre { centre.rise() } else { node.rise() }
        }
    }

    // MARK: syncing

    /// A cell begins to sync, unless it is at it.
    func beginSync(_ cell: SimulatedNode, salt: UInt64) throws -> String {
        guard running[cell.number] == nil else { return "busy" }
        try noteChannels(cell)
        let at = cell.number - 1
        var random = SeededGenerator(seed: salt)
        lines[at].percent = plan.linkPercent
        lines[at].random = SeededGenerator(seed: random.next())
        lines[at].hasSpoiledBlock = false
        let limits = [500, 5_000, 4 << 20, 4 << 20]
        let sync = try strand(cell, up: random.pick(limits) ?? 500, down: random.pick(limits) ?? 500)
        running[cell.number] = sync
        return try resume(cell, sync, nil)
    }

    private func strand(_ cell: SimulatedNode, up: Int, down: Int) throws -> RunningSync {
        let at = cell.number - 1
        var awaited: UInt64 = 0
        var result: Result<SyncReport, any Error>?
        var waiting: Strand<Parcel>?
        let link = CentreLine(
            exchange: { [unowned self] parcel, request in
                awaited = parcel.nonce
                running[cell.number]?.sentLedger = ledger.count
                try noteChannels(cell)
                for (after, event) in try lines[at].send(parcel, request, now: world.milliseconds) {
                    schedule(event, after: after)
                }
                schedule(.silence(cell: cell.number, connection: parcel.nonce), after: Self.patienceMilliseconds)
                guard let answer = try waiting?.wait() else { throw CancellationError() }
                return try answer.opened(for: parcel.nonce)
            }, nonce: { [unowned self] in lines[at].random.next() },
            received: { [unowned self] in try lines[at].received($0) })
        var sync = CellSync(
            store: try cell.store(), identity: cell.identity, centre: ServingKeys(centre.servingKey), link: link,
            clock: { cell.clock.milliseconds })
        sync.options.upLimitBytes = up
        sync.options.downLimitBytes = down
        let strand = Strand<Parcel>(entering: { SQLiteTime.set(cell.clock.milliseconds) }) { [sync] in
            result = Result { try sync.run() }
        }
        waiting = strand
        return RunningSync(strand: strand, sentLedger: ledger.count, awaited: { awaited }, result: { result })
    }

    private func resume(
        _ cell: SimulatedNode, _ sync: RunningSync, _ input: Result<Parcel, any Error>?
    ) throws -> String {
        cell.losers = nil
        sync.strand.resume(input)
        guard sync.strand.isFinished else { return "waits" }
        running[cell.number] = nil
        guard let result = sync.result() else { throw SimulationFailure("a sync ended without a result") }
        return try finished(cell, sync, try result.get())
    }

    private func finished(_ cell: SimulatedNode, _ sync: RunningSync, _ report: SyncReport) throws -> String {
        let line = lines[cell.number - 1]
        guard !cell.disk.isDown else { return "dead" }
        if line.hasSpoiledAnswer { throw SimulationFailure("the cell took a spoiled block in") }
        guard report.refusals.isEmpty || line.hasSpoiledBlock else {
            throw SimulationFailure("the centre refused: \(report.refusals)")
        }
        guard report.unequalChannels.isEmpty else {
            throw SimulationFailure("digests differ from the centre's in \(report.unequalChannels)")
        }
        count(.struck, report.rejectedChanges)
        try noteChannels(cell)
        if report.refusals.isEmpty { acknowledge(cell.number, sync.sentLedger) }
        return "\(report.rounds) \(report.sentBlocks) \(report.receivedBlocks) \(report.mergedChanges) "
            + "\(report.heldBlocks) \(report.equalChannels)"
    }

    /// Ends a sync that waits, as when its process ends.
    func abort(_ node: SimulatedNode) {
        guard let sync = running.removeValue(forKey: node.number) else { return }
        while !sync.strand.isFinished {
            sync.strand.resume(.failure(CellError(.unreachable, "the process ended", recovery: .retry)))
        }
    }

    // MARK: arrivals

    private func arrive(_ sending: SimulationEvent.Sending) throws -> String {
        try guarded(centre.node) {
            let cell = node(sending.cell)
            let response: Parcel
            do { response = try centre.answer(sending.parcel, from: cell.identity.key.publicKey) } catch {
                let isRefusal = error is CellError || error is ProtocolError
                if !sending.isRepeated, isRefusal, !centre.node.disk.isDown {
                    return try refuse(cell, sending.parcel.nonce, error)
                }
                throw error
            }
            guard sending.damage == .none else {
                throw SimulationFailure("the centre answered a request that had been damaged on the way")
            }
            try checkSpoiled(sending, response)
            dueCatchUp()
            let arrival = lines[sending.cell - 1].answer(response, to: sending, now: world.milliseconds)
            if let arrival { schedule(arrival.event, after: arrival.after) }
            return arrival == nil ? "no answer" : "answered"
        }
    }

    /// The centre's refusal reaches the cell at once: what is of interest is what the cell makes of it.
    private func refuse(_ cell: SimulatedNode, _ connection: UInt64, _ error: any Error) throws -> String {
        guard let sync = running[cell.number], sync.awaited() == connection else { return "refused, unheard" }
        SQLiteTime.set(cell.clock.milliseconds)
        let error = error is CellError ? error : CellError(.refused, "\(error)", recovery: .retry)
        return "refused, " + (try resume(cell, sync, .failure(error)))
    }

    private func checkSpoiled(_ sending: SimulationEvent.Sending, _ response: Parcel) throws {
        guard let block = sending.spoiledBlock else { return }
        let receipts = try WireCoding.decode(WireSyncResponse.self, from: response.body).receipts
        // The name of a block is that of its header: where the centre has it, another signature changes nothing.
        guard block < receipts.count, ![.invalid, .alreadyHad].contains(receipts[block].verdict) else { return }
        throw SimulationFailure("the centre said \(receipts[block].verdict) to a spoiled block")
    }

    private func dueCatchUp() {
        guard !isCatchUpDue else { return }
        isCatchUpDue = true
        schedule(.catchUp, after: 200)
    }

    private func arrive(
        _ parcel: Parcel, _ cell: SimulatedNode, _ connection: UInt64, _ damage: SimulationEvent.Damage
    ) throws -> String {
        guard let sync = running[cell.number], sync.awaited() == connection else {
            lines[cell.number - 1].cameTooLate()
            return "too late"
        }
        return try guarded(cell) {
            do { _ = try parcel.opened(for: connection) } catch {
                let refusal = CellError(.notTheCentre, "the answer was changed on the way", recovery: .retry)
                return try resume(cell, sync, .failure(refusal))
            }
            guard damage == .none else {
                throw SimulationFailure("an answer that had been damaged on the way was believed")
            }
            return try resume(cell, sync, .success(parcel))
        }
    }

    private func giveUp(_ cell: SimulatedNode) throws -> String {
        guard let sync = running[cell.number] else { return "" }
        return try guarded(cell) {
            try resume(cell, sync, .failure(CellError(.unreachable, "no answer came", recovery: .retry)))
        }
    }
}
