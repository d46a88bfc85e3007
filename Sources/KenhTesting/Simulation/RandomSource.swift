import Synchronization

/// Gives out generators whose seeds follow from one that is set before each step of a simulation, so that a step draws
/// the same numbers whatever was left out before it.
public final class RandomSource: Sendable {
    private let seeds: Mutex<SeededGenerator>

    public init(seed: UInt64) { seeds = Mutex(SeededGenerator(seed: seed)) }

    public func reseed(_ seed: UInt64) { seeds.withLock { $0 = SeededGenerator(seed: seed) } }

    public func make() -> any RandomNumberGenerator { seeds.withLock { SeededGenerator(seed: $0.next()) } }
}
