import Synchronization

/// A machine's clock: the world's time, off by an amount that may grow.
public final class SkewedClock: Sendable {
    private struct State {
        var offset: Int64 = 0
        /// What it gains in a thousand of the world's milliseconds.
        var drift: Int64 = 0
        var setAt: Int64 = 0
    }

    private let world: ManualClock
    private let state = Mutex(State())

    public init(world: ManualClock) { self.world = world }

    /// Milliseconds since 1970, as this machine believes.
    public var milliseconds: Int64 {
        let now = world.milliseconds
        return state.withLock { now + $0.offset + (now - $0.setAt) / 1000 * $0.drift }
    }

    public func set(offset: Int64, driftPerThousand drift: Int64 = 0) {
        let now = world.milliseconds
        state.withLock { ($0.offset, $0.drift, $0.setAt) = (offset, drift, now) }
    }
}
