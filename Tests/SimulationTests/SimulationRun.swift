import Foundation
import KenhTesting

/// Runs plans, each in a temporary folder that is removed afterwards.
enum SimulationRun {
    struct Outcome {
        let trace: TraceHash
        let faults: FaultTally
        /// Nil where everything held.
        let failure: String?
    }

    static func outcome(of plan: SimulationPlan) -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-sim-\(UUID().uuidString)")
        defer { if ProcessInfo.processInfo.environment["KEEP"] == nil { try? FileManager.default.removeItem(at: folder) } else { print(folder.path, plan.steps.count) } }
        do {
            let simulation = try Simulation(plan, folder: folder)
            var failure: String?
            do { try simulation.run() } catch { failure = "\(error)" }
            return Outcome(trace: simulation.trace, faults: simulation.faults, failure: failure)
        } catch {
            return Outcome(trace: TraceHash(), faults: FaultTally(), failure: "setup: \(error)")
        }
    }

    /// What is left of a failing plan when every step is taken out that the failure does not need.
    static func shrunk(_ plan: SimulationPlan, attempts: Int) -> SimulationPlan {
        var small = plan
        small.steps = Shrinker(attemptLimit: attempts).shrink(plan.steps) { steps in
            var candidate = plan
            candidate.steps = steps
            return outcome(of: candidate).failure != nil
        }
        return small
    }
}
