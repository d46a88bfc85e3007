import KenhCell

/// A driver that keeps the schedule's contract, feeds it random events, stale timers and a jumping clock among them,
/// and notes what must not be.
struct ScheduleDriver {
    private var schedule: SyncSchedule
    private var dice: ScheduleDice
    private var now: Int64 = 0
    private var timer: Int64?
    private(set) var isSyncing = false
    private(set) var isFinished = false
    private(set) var syncs = 0
    private(set) var faults: [String] = []

    init(seed: UInt64) {
        let backoff = Backoff(baseMilliseconds: 500, capMilliseconds: 60_000)
        let options = SyncSchedule.Options(intervalSeconds: 300, backoff: backoff)
        schedule = SyncSchedule(options, random: ScheduleDice(seed: seed &+ 1000))
        dice = ScheduleDice(seed: seed)
    }

    mutating func step() {
        moveClock()
        switch Int.random(in: 0..<11, using: &dice) {
        case 0...2: fireTimer()
        case 3: deliver(.syncRequested)
        case 4: deliver(.timerFired)
        case 5: deliver(.started)
        case 6...7: endSync(.success)
        case 8: endSync(.failure(retryAfterSeconds: nil))
        case 9: deliver(.woken)
        default: endSync(.failure(retryAfterSeconds: Int.random(in: -10...100_000, using: &dice)))
        }
    }

    mutating func deliver(_ event: SyncSchedule.Event) {
        let effects = schedule.handle(event, nowMilliseconds: now)
        for effect in effects { perform(effect) }
        note(effects.count > 1, "more than one effect for \(event)")
        note(!isFinished && isSyncing == (timer != nil), "both or neither after \(event)")
    }

    private mutating func perform(_ effect: SyncSchedule.Effect) {
        note(isFinished, "an effect after the end")
        switch effect {
        case .startSync:
            note(isSyncing, "two syncs at once")
            isSyncing = true
            syncs += 1
            timer = nil
        case .setTimer(let at):
            note(isSyncing, "a timer during a sync")
            note(at < now, "a timer in the past")
            timer = at
        case .finished:
            isFinished = true
            timer = nil
        }
    }

    private mutating func moveClock() {
        switch Int.random(in: 0..<100, using: &dice) {
        case 0: now = Int64.random(in: -1_000_000_000_000...1_000_000_000_000, using: &dice)
        default: now += Int64.random(in: 0...1000, using: &dice)
        }
    }

    private mutating func fireTimer() {
        guard let at = timer else { return }
        now = max(now, at)
        timer = nil
        deliver(.timerFired)
    }

    mutating func endSync(_ outcome: SyncSchedule.Outcome) {
        guard isSyncing else { return }
        isSyncing = false
        deliver(.syncEnded(outcome))
    }

    private mutating func note(_ isFault: Bool, _ what: String) {
        if isFault { faults.append(what) }
    }
}
