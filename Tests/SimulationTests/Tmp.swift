import KenhTesting
import Testing
@Suite struct Tmp { @Test func trace() { for s in 4..<12 as Range<UInt64> { print("TRACE", s, SimulationRun.outcome(of: SimulationPlan(seed: s, stepCount: 80)).trace) } } }
