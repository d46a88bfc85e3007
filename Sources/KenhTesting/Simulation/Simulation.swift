import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// A whole organisation in one process: a centre, cells, people, their clocks, disks and the lines between them. What
/// happens, happens in the order of its virtual time, one event after the other. The same plan gives the same
/// ``trace``.
public final class Simulation {
    static let start: Int64 = 1_760_000_000_000

    public let plan: SimulationPlan
    let world = ManualClock(milliseconds: Simulation.start)
    let centre: SimulatedCentre
    var cells: [SimulatedNode] = []
    var lines: [Line] = []
    /// A cell's sync that waits for an answer.
    var running: [Int: RunningSync] = [:]
    var queue = EventQueue<SimulationEvent>()
    var isCatchUpDue = false
    /// Whether anything struck a disk during this event.
    var isStruck = false
    let scratch = RAMDisk(seed: 0)
    let limits: WorkLimits
    var ledger = Ledger()
    /// How much of the ledger is surely at the centre, by node.
    var acknowledged: [Int: Int] = [:]
    /// Copies of disks, and how long the ledger was then.
    var backups: [Int: (disk: RAMDisk, blobs: RAMBlobFiles, ledger: Int, sealed: Int)] = [:]
    /// How much of the ledger is surely sealed on a node's disk; less after an old disk came back.
    var sealed: [Int: Int] = [:]
    /// Which machine a clone was copied from, and how long the ledger was then.
    var origins: [Int: (node: Int, ledger: Int)] = [:]
    /// What was ever granted to whom, though the log may have forgotten it.
    var granted: Set<GrantKey> = []
    /// What the centre ever erased, though its log may have forgotten it.
    var erased: [LedgerPlace: Set<Value>] = [:]
    /// Keys of devices that were revoked, though the log may have forgotten it, and how long the ledger was then.
    var revoked: [PublicKey: Int] = [:]
    /// The same by cell, of those that took no part in the healing, and they themselves.
    var dismissed: [Int: Int] = [:]
    var dismissedNodes: [SimulatedNode] = []
    /// What anybody ever attached.
    var attached: [Hash256: SampleBlob] = [:]
    /// Who joined when all was over.
    var newcomers = 0
    /// The channels that a cell had when it was last looked at.
    var channelsSeen: [Int: Set<String>] = [:]
    public internal(set) var trace = TraceHash()
    /// Events that have happened.
    public private(set) var eventCount = 0
    /// Steps of the plan that have been played.
    public private(set) var stepCount = 0
    private(set) var tally = FaultTally()

    public init(_ plan: SimulationPlan) throws {
        self.plan = plan
        var random = SeededGenerator(seed: plan.seed ^ 0x51D)
        limits = Self.limits(&random)
        let setup = try CentreKeys(using: &random)
        let node = SimulatedNode(
            number: 0, world: world, seed: random.next(), identity: try setup.identity(using: &random),
            schema: SimulatedSchema.second, limits: Self.limits(limits, node: 0, plan.seed), scratch: scratch)
        centre = SimulatedCentre(node: node, identity: setup.hub, epoch: .random(count: 16, using: &random))
        SQLiteTime.set(world.milliseconds)
        defer { SQLiteTime.clear() }
        for number in 1...plan.cellCount {
            let cell = SimulatedNode(
                number: number, world: world, seed: random.next(), identity: try setup.identity(using: &random),
                schema: SimulatedSchema.first, limits: Self.limits(limits, node: number, plan.seed),
                scratch: scratch)
            try centre.enroll(cell: "CB\(number)", cell.identity)
            cells.append(cell)
            lines.append(Line(cell: number))
        }
    }

    deinit { for cell in cells { abort(cell) } }

    /// Low, so that a few hundred rows make groups of several blocks.
    private static func limits(_ random: inout SeededGenerator) -> WorkLimits {
        var limits = WorkLimits()
        // Small blocks, too, name rows by their births.
        limits.bytesPerBirth = 1 << 20
        limits.changesPerBlock = random.pick([5, 30, 200]) ?? 30
        limits.changesPerChunk = random.pick([7, 100, 10_000]) ?? 100
        limits.changesPerMerge = random.pick([10, 150, 10_000]) ?? 150
        return limits
    }

    /// Every third machine has a newer SQLite, whose write-ahead log is used.
    private static func limits(_ limits: WorkLimits, node number: Int, _ seed: UInt64) -> WorkLimits {
        var limits = limits
        limits.durability = (UInt64(number) + seed).isMultiple(of: 3) ? .writeAheadLog : .rollbackJournal
        return limits
    }

    var nodes: [SimulatedNode] { [centre.node] + cells }

    /// Cells' numbers go round among the cells; the centre is the centre.
    func node(_ number: Int) -> SimulatedNode {
        number == 0 ? centre.node : cells[(number - 1) % cells.count]
    }

    func count(_ kind: FaultKind, _ count: Int = 1) { tally.add(kind, count) }

    /// Everything that struck, on the lines, too.
    public var faults: FaultTally {
        var result = tally
        for line in lines { result.add(line.tally) }
        return result
    }

    /// Plays the plan, heals everything and checks what must hold.
    /// - Throws: ``SimulationFailure``, or an error that nothing in the simulation accounts for.
    public func run() throws {
        defer { SQLiteTime.clear() }
        schedule(step: 0)
        while eventCount < plan.eventLimit, let (time, event) = queue.next() {
            world.milliseconds = max(time, world.milliseconds)
            if isStale(event) { continue }
            eventCount += 1
            do {
                let result = try perform(event)
                trace.add(UInt64(bitPattern: time))
                trace.add(result)
            } catch { throw SimulationFailure("event \(eventCount), \(name(event)): \(error)") }
        }
        do { try heal() } catch { throw SimulationFailure("after healing: \(error)") }
    }

    /// A timer whose answer has come is not worth a step.
    private func isStale(_ event: SimulationEvent) -> Bool {
        guard case .silence(let cell, let connection) = event else { return false }
        return running[cell]?.awaited() != connection
    }

    func schedule(step number: Int) {
        guard plan.steps.indices.contains(number) else { return }
        stepCount = number
        schedule(.step(number), after: 1 + plan.steps[number].afterMilliseconds)
    }

    func schedule(_ event: SimulationEvent, after milliseconds: Int64) {
        queue.add(event, at: world.milliseconds + milliseconds)
    }

    private func name(_ event: SimulationEvent) -> String {
        switch event {
        case .step(let number): "step \(number), \(plan.steps[number])"
        case .request(let sending): "a request of cell \(sending.cell)"
        case .answer(_, let cell, _, _): "an answer to cell \(cell)"
        case .silence(let cell, _): "cell \(cell) waits no longer"
        case .catchUp: "the centre catches up"
        }
    }
}

/// The keys that an organisation begins with.
private struct CentreKeys {
    let hub: HubIdentity

    init(using random: inout SeededGenerator) throws {
        let root = try SigningKey(using: &random)
        let serving = try SigningKey(using: &random)
        let certificate = ServingCertificate(
            organisation: root.publicKey.organisationFingerprint, servingKey: serving.publicKey,
            notBeforeMilliseconds: 0, notAfterMilliseconds: .max, name: "simulated")
        hub = HubIdentity(
            rootKey: root.publicKey, certificate: try certificate.signed(by: root), servingKey: serving)
    }

    func identity(using random: inout SeededGenerator) throws -> StoreIdentity {
        StoreIdentity(
            organisation: hub.organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
    }
}
