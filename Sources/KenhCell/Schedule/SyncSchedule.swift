/// When to sync: a value that decides, for a driver that acts.
///
/// Time is milliseconds of a monotonic clock with any origin, the same for all events, that runs on while the computer
/// sleeps (`ContinuousClock`); never the wall clock, which people and batteries set back by years. Should the clock
/// jump all the same: a jump forward brings on one sync and no catching up, a jump backward costs at most one more
/// wait.
///
/// The driver keeps at most one timer. `setTimer` replaces it, `startSync` and `finished` end it. It waits for the
/// time that lies between now and the timer, measured once when the timer is set, and then reports `timerFired`; a
/// firing that crosses with another event is recognised and does no harm.
public struct SyncSchedule: Sendable {
    public enum Outcome: Sendable, Equatable {
        case success
        /// With what the centre asked for, if it did (`Retry-After`).
        case failure(retryAfterSeconds: Int?)
    }

    public enum Event: Sendable, Equatable {
        case started, timerFired
        case syncEnded(Outcome)
        /// Somebody wants a sync now and does not care about the schedule or about earlier failures.
        case syncRequested
        /// Cancelling the sync under way is the driver's part; the schedule only waits for its end.
        case stopped
    }

    public enum Effect: Sendable, Equatable {
        case startSync
        case setTimer(atMilliseconds: Int64)
        /// The last effect of all.
        case finished
    }

    private enum Phase {
        case idle
        /// A timer is set for `at`; it was drawn `delay` before that.
        case waiting(at: Int64, delay: Int64)
        case syncing(again: Bool)
        case stopping, finished
    }

    public let options: Options
    /// Failures since the last success.
    public private(set) var failures = 0
    private var phase = Phase.idle
    private var random: any RandomNumberGenerator & Sendable

    public init(_ options: Options, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.options = options
        self.random = random
    }

    public mutating func handle(_ event: Event, nowMilliseconds now: Int64) -> [Effect] {
        switch (event, phase) {
        case (.started, .idle): startSync()
        case (.timerFired, .waiting(let at, let delay)): timerFired(at: at, delay: delay, now)
        case (.syncRequested, .waiting): startSync()
        case (.syncRequested, .syncing): requestAnother()
        case (.syncEnded(let outcome), .syncing(let again)): syncEnded(outcome, again: again, now)
        case (.syncEnded, .stopping), (.stopped, .idle), (.stopped, .waiting): finish()
        case (.stopped, .syncing): stopAfterSync()
        default: []
        }
    }

    private mutating func startSync() -> [Effect] {
        phase = .syncing(again: false)
        return [.startSync]
    }

    private mutating func requestAnother() -> [Effect] {
        phase = .syncing(again: true)
        return []
    }

    private mutating func timerFired(at: Int64, delay: Int64, _ now: Int64) -> [Effect] {
        let (left, overflow) = at.subtractingReportingOverflow(now)
        // More left than was ever to wait: the clock went back, and the old target means nothing any more.
        guard left > 0, !overflow, left <= delay else { return startSync() }
        return [.setTimer(atMilliseconds: at)]
    }

    /// Another sync that was asked for starts at once after a success. After a failure it is the retry, when that is
    /// due: requests must not hammer a centre that is down or has asked for patience.
    private mutating func syncEnded(_ outcome: Outcome, again: Bool, _ now: Int64) -> [Effect] {
        switch outcome {
        case .success:
            failures = 0
            return again ? startSync() : wait(options.intervalMilliseconds(using: &random), now)
        case .failure(let retryAfterSeconds):
            failures = failures == .max ? .max : failures + 1
            let delay = options.backoff.delayMilliseconds(
                failures: failures, retryAfterSeconds: retryAfterSeconds, using: &random)
            return wait(delay, now)
        }
    }

    private mutating func wait(_ delay: Int64, _ now: Int64) -> [Effect] {
        let (sum, overflow) = now.addingReportingOverflow(delay)
        let at = overflow ? Int64.max : sum
        phase = .waiting(at: at, delay: delay)
        return [.setTimer(atMilliseconds: at)]
    }

    private mutating func stopAfterSync() -> [Effect] {
        phase = .stopping
        return []
    }

    private mutating func finish() -> [Effect] {
        phase = .finished
        return [.finished]
    }
}
