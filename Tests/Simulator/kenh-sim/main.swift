import Foundation
import KenhTesting

// kenh-sim [SEED [STEPS [SEEDS]]]: plays an organisation's life from a seed, or that of so many seeds from this one.

let arguments = CommandLine.arguments.dropFirst().map { UInt64($0) }
guard arguments.count <= 3, !arguments.contains(nil) else {
    FileHandle.standardError.write(Data("usage: kenh-sim [SEED [STEPS [SEEDS]]]\n".utf8))
    exit(64)
}
let numbers = arguments.compactMap { $0 }
let seed = numbers.first ?? 1
let steps = numbers.count > 1 ? Int(clamping: numbers[1]) : 2_000
let seeds = seed..<seed + (numbers.count > 2 ? numbers[2] : 1)

let plan = { @Sendable seed in SimulationPlan(seed: seed, eventLimit: steps) }

let outcomes = SimulationRun.sweep(seeds, plan: plan)
var faults = FaultTally()
var events = 0
for outcome in outcomes {
    faults.add(outcome.faults)
    events += outcome.eventCount
    print(
        "seed \(outcome.seed): \(outcome.eventCount) steps, trace \(outcome.trace)\(outcome.failure.map { ", FAILED: \($0)" } ?? "")"
    )
}
print("\(events) steps; faults: \(faults)")
let failed = outcomes.filter { $0.failure != nil }
if let first = failed.first {
    // Told before its history is made short, which takes minutes.
    fflush(nil)
    print("\(failed.count) of \(outcomes.count) seeds failed; the first of them in short:")
    print(SimulationRun.story(plan(first.seed), attempts: 150))
    exit(1)
}
