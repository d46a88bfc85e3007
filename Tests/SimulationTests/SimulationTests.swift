import KenhTesting
import Testing

@Suite struct SimulationTests {
    @Test("An organisation whose lines, disks, clocks and backups fail agrees after healing, and has lost nothing")
    func organisations() {
        let outcomes = SimulationRun.sweep(SimulationSettings.seeds, plan: SimulationSettings.plan)
        var faults = FaultTally()
        for outcome in outcomes { faults.add(outcome.faults) }
        let failed = outcomes.filter { $0.failure != nil }
        for outcome in failed.prefix(20) { Issue.record("seed \(outcome.seed): \(outcome.failure ?? "")") }
        #expect(failed.isEmpty, "\(failed.count) of \(outcomes.count) seeds")
        if let first = failed.first {
            // One small history is enough to begin with.
            Issue.record("\(SimulationRun.story(SimulationSettings.plan(seed: first.seed), attempts: 150))")
        }
        guard SimulationSettings.seeds.count >= SimulationSettings.defaultSeeds.count else { return }
        #expect(faults.missing == [], "\(faults)")
        #expect(FaultKind.allCases.count >= 25)
    }

    @Test("The same seed gives the same run")
    func repeatable() {
        // One seed in twenty.
        let seeds = SimulationSettings.seeds
        let sample = UInt64(max(seeds.count / 20, 2))
        let range = seeds.lowerBound..<seeds.lowerBound + sample
        let first = SimulationRun.sweep(range, plan: SimulationSettings.plan)
        let second = SimulationRun.sweep(range, plan: SimulationSettings.plan)
        for (first, second) in zip(first, second) {
            #expect(first.trace == second.trace, "seed \(first.seed)")
            #expect(first.faults == second.faults, "seed \(first.seed)")
        }
        #expect(Set(first.map(\.trace.description)).count == first.count, "other seeds give other runs")
    }
}
