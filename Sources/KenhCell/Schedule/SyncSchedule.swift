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
        /// Somebody else's change may be there. Brings a sync soon, but never within the wait after a failure.
        case woken
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
        case waiting(at: Int64, delay: Int64, isWoken: Bool)
        case syncing(again: Bool, isWoken: Bool)
        case stopping, finished
    }

    public let options: Options
    /// Failures since the last success.
    public private(set) var failures = 0
    private var phase = Phase.idle
    /// The start of the last sync that ``Event/woken`` brought on.
    private var lastWoken: Int64?
    private var random: any RandomNumberGenerator & Sendable

    public init(_ options: Options, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.options = options
        self.random = random
    }

    public mutating func handle(_ event: Event, nowMilliseconds now: Int64) -> [Effect] {
        switch (event, phase) {
        case (.started, .idle): startSync()
        case (.timerFired, .waiting(let at, let delay, let isWoken)):
            timerFired(at: at, delay: delay, isWoken: isWoken, now)
        case (.syncRequested, .waiting): startSync()
        case (.syncRequested, .syncing(_, let isWoken)): remember(again: true, isWoken: isWoken)
        case (.woken, .waiting(let at, _, isWoken: false)) where failures == 0: wake(before: at, now)
        case (.woken, .syncing(let again, _)): remember(again: again, isWoken: true)
        case (.syncEnded(let outcome), .syncing(let again, let isWoken)):
            syncEnded(outcome, again: again, isWoken: isWoken, now)
        case (.syncEnded, .stopping), (.stopped, .idle), (.stopped, .waiting): finish()
        case (.stopped, .syncing): stopAfterSync()
        default: []
        }
    }

    private mutating func startSync() -> [Effect] {
        phase = .syncing(again: false, isWoken: false)
        return [.startSync]
    }

    private mutating func remember(again: Bool, isWoken: Bool) -> [Effect] {
        phase = .syncing(again: again, isWoken: isWoken)
        return []
    }

    private mutating func timerFired(at: Int64, delay: Int64, isWoken: Bool, _ now: Int64) -> [Effect] {
        let (left, overflow) = at.subtractingReportingOverflow(now)
        // More left than was ever to wait: the clock went back, and the old target means nothing any more.
        guard left > 0, !overflow, left <= delay else {
            if isWoken { lastWoken = now }
            return startSync()
        }
        return [.setTimer(atMilliseconds: at)]
    }

    /// Another sync that was asked for starts at once after a success, one for somebody else's change soon. After a
    /// failure both are the retry, when that is due: requests must not hammer a centre that is down or has asked for
    /// patience.
    private mutating func syncEnded(_ outcome: Outcome, again: Bool, isWoken: Bool, _ now: Int64) -> [Effect] {
        switch outcome {
        case .success:
            failures = 0
            if again { return startSync() }
            let effects = wait(options.intervalMilliseconds(using: &random), now)
            guard isWoken, case .waiting(let at, _, _) = phase else { return effects }
            let sooner = wake(before: at, now)
            return sooner.isEmpty ? effects : sooner
        case .failure(let retryAfterSeconds):
            failures = failures == .max ? .max : failures + 1
            let delay = options.backoff.delayMilliseconds(
                failures: failures, retryAfterSeconds: retryAfterSeconds, using: &random)
            return wait(delay, now)
        }
    }

    /// Nothing where the schedule's own sync is due by then.
    private mutating func wake(before scheduled: Int64, _ now: Int64) -> [Effect] {
        let spread = Int64.random(in: 0...options.wakeSpreadMilliseconds, using: &random)
        let delay = max(gapLeft(now), spread)
        let (left, overflow) = scheduled.subtractingReportingOverflow(now)
        guard left > delay || overflow else { return [] }
        return wait(delay, now, isWoken: true)
    }

    private func gapLeft(_ now: Int64) -> Int64 {
        guard let lastWoken else { return 0 }
        let (passed, overflow) = now.subtractingReportingOverflow(lastWoken)
        // Below zero the clock went back.
        return overflow || passed < 0 ? 0 : max(options.wakeGapMilliseconds - passed, 0)
    }

    private mutating func wait(_ delay: Int64, _ now: Int64, isWoken: Bool = false) -> [Effect] {
        let (sum, overflow) = now.addingReportingOverflow(delay)
        let at = overflow ? Int64.max : sum
        phase = .waiting(at: at, delay: delay, isWoken: isWoken)
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
