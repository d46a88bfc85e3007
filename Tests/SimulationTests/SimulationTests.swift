import Foundation
import KenhTesting
import Testing

/// `KENH_SIM_SEEDS` (a count, or a range such as `100-199`) and `KENH_SIM_STEPS` make the runs longer.
@Suite struct SimulationTests {
    #if DEBUG
        private static let defaultSeeds: Range<UInt64> = 0..<8
    #else
        private static let defaultSeeds: Range<UInt64> = 0..<40
    #endif

    private static func setting(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

    private static var seeds: Range<UInt64> {
        let parts = (setting("KENH_SIM_SEEDS") ?? "").split(separator: "-").compactMap { UInt64($0) }
        switch parts.count {
        case 1: return 0..<parts[0]
        case 2 where parts[0] <= parts[1]: return parts[0]..<parts[1] + 1
        default: return defaultSeeds
        }
    }

    private static var steps: Int { setting("KENH_SIM_STEPS").flatMap { Int($0) } ?? 150 }

    @Test("An organisation whose lines, disks, clocks and backups fail agrees after healing, and has lost nothing")
    func organisations() {
        var faults = FaultTally()
        for seed in Self.seeds {
            let plan = SimulationPlan(seed: seed, stepCount: Self.steps)
            let outcome = SimulationRun.outcome(of: plan)
            faults.add(outcome.faults)
            if let failure = outcome.failure { Self.report(plan, failure) }
        }
        guard Self.seeds.count >= Self.defaultSeeds.count else { return }
        #expect(faults.missing == [], "\(faults)")
    }

    private static func report(_ plan: SimulationPlan, _ failure: String) {
        let small = SimulationRun.shrunk(plan, attempts: 200)
        let again = SimulationRun.outcome(of: small).failure ?? "fails only sometimes"
        Issue.record("seed \(plan.seed): \(failure)\n\(small.text)\n\(again)")
    }

    @Test("The same seed gives the same run", arguments: [3, 5, 10, 15] as [UInt64])
    func repeatable(seed: UInt64) {
        let plan = SimulationPlan(seed: seed, stepCount: 80)
        let first = SimulationRun.outcome(of: plan)
        let second = SimulationRun.outcome(of: plan)
        #expect(first.trace == second.trace)
        #expect(first.faults == second.faults)
        #expect(first.trace != SimulationRun.outcome(of: SimulationPlan(seed: seed + 100, stepCount: 80)).trace)
    }
}
