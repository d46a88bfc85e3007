import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// A whole organisation in one process and on one thread: a centre, cells, people, their clocks, disks and the lines
/// between them, driven by the steps of a plan. The same plan gives the same ``trace``.
public final class Simulation {
    static let start: Int64 = 1_760_000_000_000

    public let plan: SimulationPlan
    let folder: URL
    let world = ManualClock(milliseconds: Simulation.start)
    let centre: SimulatedCentre
    private(set) var cells: [SimulatedNode] = []
    private(set) var links: [FaultyLink] = []
    var ledger = Ledger()
    /// How much of the ledger is surely at the centre, by node.
    var acknowledged: [Int: Int] = [:]
    /// How long the ledger was when a node's folder was copied.
    var backups: [Int: Int] = [:]
    /// From where on in the ledger a node's copied folder may hold what was not sealed then.
    var unsealed: [Int: Int] = [:]
    public internal(set) var trace = TraceHash()
    private(set) var tally = FaultTally()

    /// - Parameter folder: an empty one for the files of all nodes; the caller removes it.
    public init(_ plan: SimulationPlan, folder: URL) throws {
        self.plan = plan
        self.folder = folder
        var random = SeededGenerator(seed: plan.seed ^ 0x51D)
        let limits = Self.limits(&random)
        let setup = try CentreKeys(using: &random)
        let node = try SimulatedNode(
            number: 0, folder: folder.appending(path: "centre"), world: world, seed: random.next(),
            identity: try setup.identity(using: &random), schema: SimulatedSchema.second, limits: limits)
        centre = SimulatedCentre(node: node, identity: setup.hub, epoch: .random(count: 16, using: &random))
        for number in 1...plan.cellCount {
            let cell = try SimulatedNode(
                number: number, folder: folder.appending(path: "cell-\(number)"), world: world, seed: random.next(),
                identity: try setup.identity(using: &random), schema: SimulatedSchema.first, limits: limits)
            try centre.enroll(cell: "CB\(number)", cell.identity)
            cells.append(cell)
            let key = cell.identity.key.publicKey
            links.append(
                FaultyLink(world: world) { [centre] parcel in
                    guard !cell.isDead else { throw CellError(.unreachable, "the cell fell silent", recovery: .retry) }
                    return try centre.answer(parcel, from: key)
                })
        }
    }

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

    var nodes: [SimulatedNode] { [centre.node] + cells }

    func node(_ number: Int) -> SimulatedNode { nodes[number % nodes.count] }

    func count(_ kind: FaultKind) { tally.add(kind) }

    /// Everything that struck, on the lines, too.
    public var faults: FaultTally {
        var result = tally
        for link in links { result.add(link.tally) }
        return result
    }

    /// Plays the steps, heals everything and checks what must hold.
    /// - Throws: ``SimulationFailure``, or an error that nothing in the simulation accounts for.
    public func run() throws {
        for (number, step) in plan.steps.enumerated() {
            do {
                trace.add("\(number) \(step): \(try perform(step))")
                try checkLinks()
            } catch { throw SimulationFailure("step \(number), \(step): \(error)") }
        }
        do { try heal() } catch { throw SimulationFailure("after healing: \(error)") }
    }

    private func checkLinks() throws {
        for (link, cell) in zip(links, cells) {
            guard let violation = link.violations.first else { continue }
            throw SimulationFailure("on the line of cell \(cell.number), \(violation)")
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
