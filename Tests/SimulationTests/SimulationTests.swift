import KenhTesting
import Testing

@Suite struct SimulationTests {
    /// Played once for both tests.
    private static let outcomes = SimulationRun.sweep(SimulationSettings.seeds, plan: SimulationSettings.plan)

    @Test("An organisation whose lines, disks, clocks and backups fail agrees after healing, and has lost nothing")
    func organisations() async throws {
        let outcomes = try await Blocking.run { Self.outcomes }
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
    func repeatable() async throws {
        // One seed in twenty.
        let seeds = SimulationSettings.seeds
        let sample = UInt64(max(seeds.count / 20, 2))
        let range = seeds.lowerBound..<min(seeds.lowerBound + sample, seeds.upperBound)
        let (outcomes, again) = try await Blocking.run {
            (Self.outcomes, SimulationRun.sweep(range, plan: SimulationSettings.plan))
        }
        for (first, second) in zip(outcomes, again) {
            #expect(first.trace == second.trace, "seed \(first.seed)")
            #expect(first.faults == second.faults, "seed \(first.seed)")
        }
        #expect(Set(again.map(\.trace.description)).count == again.count, "other seeds give other runs")
    }
}
