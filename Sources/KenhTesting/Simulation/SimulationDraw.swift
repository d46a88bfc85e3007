/// Draws the steps of a plan.
struct SimulationDraw {
    var random: SeededGenerator
    let nodes: Int
    let restores: SimulationPlan.Restores
    let hasClones: Bool

    private static let minute: Int64 = 60_000
    private static let day: Int64 = 24 * 60 * minute

    mutating func step() -> SimulationStep {
        let node = random.chance(percent: 8) ? 0 : 1 + random.below(nodes - 1)
        let action = action()
        return SimulationStep(
            node: restoredNode(action) ?? node, action: action, hazard: hazard(action), afterMilliseconds: pause(),
            salt: random.next())
    }

    /// Mostly short, so that much is on its way at the same time.
    private mutating func pause() -> Int64 {
        switch random.below(200) {
        case ..<120: Int64(random.below(40))
        case ..<170: Int64(random.below(2_000))
        case ..<198: Int64(random.below(20_000))
        default: Int64(random.below(Int(Self.day)))
        }
    }

    private mutating func action() -> SimulationStep.Action {
        switch random.below(1000) {
        case ..<170: return .work
        case ..<850: return .sync
        case ..<868: return .decide
        case ..<870: return .importRows(1 + random.below(600))
        case ..<890: return .replay
        case ..<905: return .crash
        case ..<920: return .upgrade
        case ..<940: return clock()
        case ..<955: return .part(cells: 1 + random.below(nodes / 2), milliseconds: Int64(random.below(60_000)))
        case ..<965: return .halfOpen(milliseconds: Int64(random.below(60_000)))
        case ..<970: return hasClones ? .clone : .work
        default: return restores == .none ? .sync : random.chance(percent: 50) ? .backUp : .restore
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
        let isAhead = random.chance(percent: 50)
        let drift = Int64(random.chance(percent: 33) ? random.below(20) : 0)
        return .setClock(
            offsetMilliseconds: isAhead ? wrong : -wrong, driftPerThousand: isAhead ? drift : -drift)
    }

    private mutating func hazard(_ action: SimulationStep.Action) -> SimulationStep.Hazard {
        guard random.chance(percent: 8) else { return .none }
        switch action {
        case .work, .importRows, .decide:
            return random.chance(percent: 80) ? .disk(fault(), after: 1 + random.below(40)) : fullDisk()
        case .sync: return syncHazard()
        default: return .none
        }
    }

    private mutating func syncHazard() -> SimulationStep.Hazard {
        switch random.below(100) {
        case ..<40: return .disk(fault(), after: 1 + random.below(80))
        case ..<65: return .centreDisk(fault(), after: 1 + random.below(80))
        case ..<80: return fullDisk()
        default:
            let faults = FaultyLog.Fault.allCases
            return .log(faults[random.below(faults.count)])
        }
    }

    private mutating func fault() -> RAMDisk.Fault {
        let faults: [RAMDisk.Fault] = [.cut, .cut, .kill, .fail, .full]
        return faults[random.below(faults.count)]
    }

    private mutating func fullDisk() -> SimulationStep.Hazard { .fullDisk(roomBytes: random.below(10) * 4096) }
}
