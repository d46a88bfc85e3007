/// Everything that a simulation does, worked out from a seed before it begins.
public struct SimulationPlan: Sendable {
    /// Which backups are put back. Where the centre's is, clocks stay within the tolerance: its new log gives later
    /// times of acceptance than the lost one, and until those are handed back, too, a claim beyond the tolerance would
    /// be ordered by different times on different nodes.
    public enum Restores: String, CaseIterable, Sendable { case none, cells, centre }

    public let seed: UInt64
    public let cellCount: Int
    public let restores: Restores
    /// In how many of 100 exchanges each fault of the line strikes.
    public let linkPercent: Int
    public var steps: [SimulationStep]

    /// - Parameters:
    ///   - restores: nil to let the seed choose.
    ///   - anyClock: clocks may be wrong beyond the tolerance even where the centre's backup is put back.
    public init(seed: UInt64, stepCount: Int, restores: Restores? = nil, anyClock: Bool = false) {
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        cellCount = 2 + random.below(4)
        self.restores = restores ?? [.none, .none, .cells, .centre][Int(seed % 4)]
        linkPercent = [1, 3, 6, 10][random.below(4)]
        var draw = Draw(
            random: random, nodes: cellCount + 1, restores: self.restores,
            isTolerable: !anyClock && self.restores == .centre)
        steps = (0..<stepCount).map { _ in draw.step() }
    }

    public var text: String {
        let head = "seed \(seed), \(cellCount) cells, restores of \(restores), line \(linkPercent) %"
        return (["\(head), \(steps.count) steps"] + steps.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// Draws the steps.
private struct Draw {
    var random: SeededGenerator
    let nodes: Int
    let restores: SimulationPlan.Restores
    /// Clocks are never wrong by more than the tolerance.
    let isTolerable: Bool

    private static let minute: Int64 = 60_000
    private static let day: Int64 = 24 * 60 * minute

    mutating func step() -> SimulationStep {
        let node = random.chance(percent: 15) ? 0 : 1 + random.below(nodes - 1)
        let action = action(node)
        return SimulationStep(
            node: restoredNode(action) ?? node, action: action, hazard: hazard(action, node), salt: random.next())
    }

    private mutating func action(_ node: Int) -> SimulationStep.Action {
        switch random.below(100) {
        case ..<44: return .work
        case ..<72: return .sync
        case ..<78: return .decide
        case ..<80: return .importRows(1 + random.below(600))
        case ..<82: return .replay
        case ..<86: return .crash
        case ..<88: return .upgrade
        case ..<92: return clock()
        case ..<95: return .pass(milliseconds: Int64(random.below(Int(Self.day))))
        default: return restores == .none ? .work : random.chance(percent: 50) ? .backUp : .restore
        }
    }

    /// Backups are of the kind of node that the plan says.
    private mutating func restoredNode(_ action: SimulationStep.Action) -> Int? {
        guard action == .backUp || action == .restore else { return nil }
        return restores == .centre ? 0 : 1 + random.below(nodes - 1)
    }

    private mutating func clock() -> SimulationStep.Action {
        let offset = [Self.minute, 3 * 60 * Self.minute, 40 * Self.day, 5 * 365 * Self.day, 60 * 365 * Self.day]
        let wrong = offset[random.below(offset.count)] + Int64(random.below(100_000))
        let size = isTolerable ? Self.minute : wrong
        let isAhead = random.chance(percent: 50)
        let drift = Int64(!isTolerable && random.chance(percent: 33) ? random.below(20) : 0)
        return .setClock(
            offsetMilliseconds: isAhead ? size : -size, driftPerThousand: isAhead ? drift : -drift)
    }

    private mutating func hazard(_ action: SimulationStep.Action, _ node: Int) -> SimulationStep.Hazard {
        guard random.chance(percent: 22) else { return .none }
        switch action {
        case .sync: return syncHazard()
        case .work, .importRows, .decide:
            return random.chance(percent: 50) ? .death(reads: 1 + random.below(2)) : fullDisk()
        default: return .none
        }
    }

    private mutating func syncHazard() -> SimulationStep.Hazard {
        switch random.below(100) {
        case ..<30: return .death(reads: 1 + random.below(10))
        case ..<50: return .centreDeath(reads: 1 + random.below(3))
        case ..<70: return fullDisk()
        default:
            let faults = FaultyLog.Fault.allCases
            return .log(faults[random.below(faults.count)])
        }
    }

    private mutating func fullDisk() -> SimulationStep.Hazard { .fullDisk(pages: random.below(8)) }
}
