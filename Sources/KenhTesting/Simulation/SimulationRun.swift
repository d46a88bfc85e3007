import Dispatch
import Synchronization

/// Plays plans and says what came of them.
public enum SimulationRun {
    public struct Outcome: Sendable {
        public let seed: UInt64
        public let trace: TraceHash
        public let faults: FaultTally
        public let eventCount: Int
        /// Steps of the plan that were played.
        public let stepCount: Int
        /// Nil where everything held.
        public let failure: String?
    }

    public static func outcome(of plan: SimulationPlan) -> Outcome {
        do {
            let simulation = try Simulation(plan)
            var failure: String?
            do { try simulation.run() } catch { failure = "\(error)" }
            return Outcome(
                seed: plan.seed, trace: simulation.trace, faults: simulation.faults,
                eventCount: simulation.eventCount, stepCount: simulation.stepCount, failure: failure)
        } catch {
            return Outcome(
                seed: plan.seed, trace: TraceHash(), faults: FaultTally(), eventCount: 0, stepCount: 0,
                failure: "setup: \(error)")
        }
    }

    /// Plays the plans of many seeds, as many at a time as there are processors.
    /// - Returns: the outcomes in the order of the seeds.
    public static func sweep(
        _ seeds: Range<UInt64>, plan: @Sendable (UInt64) -> SimulationPlan,
        each: @Sendable (Outcome) -> Void = { _ in }
    ) -> [Outcome] {
        let outcomes = Mutex<[Outcome]>([])
        DispatchQueue.concurrentPerform(iterations: seeds.count) { number in
            let outcome = outcome(of: plan(seeds.lowerBound + UInt64(number)))
            each(outcome)
            outcomes.withLock { $0.append(outcome) }
        }
        return outcomes.withLock { $0 }.sorted { $0.seed < $1.seed }
    }

    /// What is left of a failing plan when every step is taken out that the failure does not need.
    public static func shrunk(_ plan: SimulationPlan, attempts: Int) -> SimulationPlan {
        var small = plan
        // What was not played is not needed.
        small.steps = Array(plan.steps.prefix(outcome(of: plan).stepCount + 1))
        small.steps = Shrinker(attemptLimit: attempts).shrink(small.steps) { steps in
            var candidate = plan
            candidate.steps = steps
            return outcome(of: candidate).failure != nil
        }
        return small
    }

    /// A failing plan made small, with what fails in it.
    public static func story(_ plan: SimulationPlan, attempts: Int) -> String {
        let small = shrunk(plan, attempts: attempts)
        return "\(small.text)\n\(outcome(of: small).failure ?? "fails only sometimes")"
    }
}
