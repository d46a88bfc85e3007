/// When to open the stream by which the centre wakes a cell: a value that decides, for a driver that acts. Time and timers
/// are as in ``SyncSchedule``.
public struct WakeSchedule: Sendable {
    /// Why there is no stream any more.
    public enum Ending: Sendable, Equatable {
        /// There was one.
        case ended
        case unreached
        /// With what was asked for, if anything (`Retry-After`).
        case refused(retryAfterSeconds: Int?)
        /// The centre knows no such thing; it has to be of an older version.
        case notOffered
    }

    public enum Event: Sendable, Equatable {
        case started, timerFired
        /// The centre has said that it listens.
        case opened
        /// What the centre asks to wait after the stream's end.
        case hinted(milliseconds: Int64)
        case ended(Ending)
        /// A sync has reached the centre.
        case synced
        /// Ending the stream is the driver's part; the schedule waits for its end.
        case stopped
    }

    public enum Effect: Sendable, Equatable {
        /// Ends a timer that is set.
        case open
        case setTimer(atMilliseconds: Int64)
        /// The last effect of all.
        case finished
    }

    private enum Phase {
        case idle
        /// `since`: when it was opened; nil before.
        case open(since: Int64?)
        case waiting(at: Int64, delay: Int64, isUnreached: Bool)
        case off, stopping, finished
    }

    /// A stream that ends sooner counts as a failure, or what cuts every stream would be called all the time.
    public static let settledMilliseconds: Int64 = 60_000
    /// How far the centre's hint is followed.
    private static let hintRange: ClosedRange<Int64> = 100...60_000

    private var backoff: Backoff
    /// Since a stream lasted.
    public private(set) var failures = 0
    private var phase = Phase.idle
    private var random: any RandomNumberGenerator & Sendable

    public init(
        backoff: Backoff = Backoff(baseMilliseconds: 3000, capMilliseconds: 300_000),
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.backoff = backoff
        self.random = random
    }

    public mutating func handle(_ event: Event, nowMilliseconds now: Int64) -> [Effect] {
        switch (event, phase) {
        case (.started, .idle): return open()
        case (.opened, .open(nil)): phase = .open(since: now)
        case (.hinted(let milliseconds), .open): follow(milliseconds)
        case (.ended(.notOffered), .open): phase = .off
        case (.ended(let ending), .open(let since)): return wait(after: ending, since: since, now)
        case (.timerFired, .waiting(let at, let delay, _)): return timerFired(at: at, delay: delay, now)
        // The way to the centre is open again. After other endings it says nothing that was not known.
        case (.synced, .waiting(_, _, isUnreached: true)): return open()
        case (.stopped, .open): phase = .stopping
        case (.ended, .stopping), (.stopped, .idle), (.stopped, .waiting), (.stopped, .off):
            phase = .finished
            return [.finished]
        default: break
        }
        return []
    }

    private mutating func open() -> [Effect] {
        phase = .open(since: nil)
        return [.open]
    }

    private mutating func follow(_ hint: Int64) {
        let base = min(max(hint, Self.hintRange.lowerBound), Self.hintRange.upperBound)
        backoff = Backoff(baseMilliseconds: base, capMilliseconds: max(backoff.capMilliseconds, base))
    }

    private mutating func wait(after ending: Ending, since: Int64?, _ now: Int64) -> [Effect] {
        if let since, now.subtractingReportingOverflow(since).partialValue >= Self.settledMilliseconds { failures = 0 }
        failures = failures == .max ? .max : failures + 1
        var retryAfterSeconds: Int?
        if case .refused(let seconds) = ending { retryAfterSeconds = seconds }
        let delay = backoff.delayMilliseconds(
            failures: failures, retryAfterSeconds: retryAfterSeconds, using: &random)
        let (sum, overflow) = now.addingReportingOverflow(delay)
        let at = overflow ? Int64.max : sum
        phase = .waiting(at: at, delay: delay, isUnreached: ending == .unreached)
        return [.setTimer(atMilliseconds: at)]
    }

    private mutating func timerFired(at: Int64, delay: Int64, _ now: Int64) -> [Effect] {
        let (left, overflow) = at.subtractingReportingOverflow(now)
        // As in ``SyncSchedule``: after a clock that went back the old target means nothing.
        guard left > 0, !overflow, left <= delay else { return open() }
        return [.setTimer(atMilliseconds: at)]
    }
}
