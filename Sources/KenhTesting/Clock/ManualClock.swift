import Synchronization

/// A wall clock that stands still until a test moves it, in either direction.
public final class ManualClock: Sendable {
    private let now: Mutex<Int64>

    public init(milliseconds: Int64 = 0) { now = Mutex(milliseconds) }

    /// Milliseconds since 1970.
    public var milliseconds: Int64 {
        get { now.withLock { $0 } }
        set { now.withLock { $0 = newValue } }
    }

    /// Moves the clock by a number of milliseconds, back where it is negative, and says what it shows then.
    @discardableResult
    public func advance(milliseconds step: Int64) -> Int64 {
        now.withLock { now in
            now += step
            return now
        }
    }
}
