import Foundation
import KenhTesting

/// Runs plans, each in a folder of its own that is removed afterwards.
enum SimulationRun {
    struct Outcome {
        let trace: TraceHash
        let faults: FaultTally
        /// Nil where everything held.
        let failure: String?
    }

    /// In memory where there is such a file system: the files are copied and torn, but no power is cut here.
    private static let parent: URL = {
        let memory = "/dev/shm"
        return FileManager.default.isWritableFile(atPath: memory)
            ? URL(filePath: memory) : FileManager.default.temporaryDirectory
    }()

    static func outcome(of plan: SimulationPlan) -> Outcome {
        let folder = parent.appending(path: "kenh-sim-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
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
