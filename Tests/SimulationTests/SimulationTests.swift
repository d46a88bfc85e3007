import KenhTesting
import Testing

@Suite struct SimulationTests {
    @Test("An organisation whose lines, disks, clocks and backups fail agrees after healing, and has lost nothing")
    func organisations() {
        var faults = FaultTally()
        var failed = 0
        for seed in SimulationSettings.seeds {
            let plan = SimulationSettings.plan(seed: seed)
            let outcome = SimulationRun.outcome(of: plan)
            faults.add(outcome.faults)
            guard let failure = outcome.failure else { continue }
            failed += 1
            // One small history is enough to begin with.
            Issue.record("seed \(seed): \(failure)\(failed == 1 ? Self.story(plan) : "")")
        }
        guard SimulationSettings.seeds.count >= SimulationSettings.defaultSeeds.count else { return }
        #expect(faults.missing == [], "\(faults)")
    }

    private static func story(_ plan: SimulationPlan) -> String {
        let small = SimulationRun.shrunk(plan, attempts: 300)
        return "\n\(small.text)\n\(SimulationRun.outcome(of: small).failure ?? "fails only sometimes")"
    }

    @Test("The same seed gives the same run", arguments: [4, 5, 6, 7] as [UInt64])
    func repeatable(seed: UInt64) {
        let plan = SimulationPlan(seed: seed, stepCount: 80)
        let first = SimulationRun.outcome(of: plan)
        let second = SimulationRun.outcome(of: plan)
        #expect(first.trace == second.trace)
        #expect(first.faults == second.faults)
        #expect(first.trace != SimulationRun.outcome(of: SimulationPlan(seed: seed + 4, stepCount: 80)).trace)
    }
}
