import Foundation
import KenhTesting

/// How much is simulated. The environment may ask for more:
///
/// | variable | what |
/// |---|---|
/// | `KENH_SIM_SEEDS` | a number of seeds from 0, or a range such as `100-199` |
/// | `KENH_SIM_STEPS` | events of each run |
enum SimulationSettings {
    #if DEBUG
        static let defaultSeeds: Range<UInt64> = 0..<24
        private static let defaultSteps = 500
    #else
        static let defaultSeeds: Range<UInt64> = 0..<1_000
        private static let defaultSteps = 2_000
    #endif

    private static func value(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

    static var seeds: Range<UInt64> {
        let parts = (value("KENH_SIM_SEEDS") ?? "").split(separator: "-").compactMap { UInt64($0) }
        switch parts.count {
        case 1: return 0..<parts[0]
        case 2 where parts[0] <= parts[1]: return parts[0]..<parts[1] + 1
        default: return defaultSeeds
        }
    }

    static func plan(seed: UInt64) -> SimulationPlan {
        SimulationPlan(
            seed: seed, eventLimit: value("KENH_SIM_STEPS").flatMap { Int($0) } ?? defaultSteps)
    }
}
