import Synchronization

/// A machine's clock: the world's time, off by an amount that may grow. It can ring when it has been read a number of
/// times, which is how a simulation gets into the middle of a transaction.
public final class SkewedClock: Sendable {
    private struct State {
        var offset: Int64 = 0
        /// What it gains in a thousand of the world's milliseconds.
        var drift: Int64 = 0
        var setAt: Int64 = 0
        var readsLeft: Int?
        var alarm: (@Sendable () -> Void)?
        var hasRung = false

        mutating func countRead() -> (@Sendable () -> Void)? {
            guard let left = readsLeft else { return nil }
            readsLeft = left > 1 ? left - 1 : nil
            guard left <= 1 else { return nil }
            hasRung = true
            return alarm
        }
    }

    private let world: ManualClock
    private let state = Mutex(State())

    public init(world: ManualClock) { self.world = world }

    /// Milliseconds since 1970, as this machine believes.
    public var milliseconds: Int64 {
        let alarm = state.withLock { $0.countRead() }
        alarm?()
        let now = world.milliseconds
        return state.withLock { now + $0.offset + (now - $0.setAt) / 1000 * $0.drift }
    }

    public func set(offset: Int64, driftPerThousand drift: Int64 = 0) {
        let now = world.milliseconds
        state.withLock { ($0.offset, $0.drift, $0.setAt) = (offset, drift, now) }
    }

    /// Calls `alarm` once, when the clock is read for the `reads`-th time from now on.
    func ring(afterReads reads: Int, _ alarm: @escaping @Sendable () -> Void) {
        state.withLock { ($0.readsLeft, $0.alarm, $0.hasRung) = (reads, alarm, false) }
    }

    var hasRung: Bool { state.withLock { $0.hasRung } }

    func disarm() { state.withLock { ($0.readsLeft, $0.alarm, $0.hasRung) = (nil, nil, false) } }
}
