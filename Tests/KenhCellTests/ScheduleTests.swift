import KenhCell
import Testing

@Suite("The sync schedule")
struct ScheduleTests {
    typealias Event = SyncSchedule.Event
    typealias Effect = SyncSchedule.Effect

    /// A step of a history: what happens when, and what has to follow.
    struct Step {
        var now: Int64
        var event: Event
        var effects: [Effect]

        init(_ now: Int64, _ event: Event, _ effects: [Effect]) {
            self.now = now
            self.event = event
            self.effects = effects
        }
    }

    /// A minute between syncs, without jitter, and a backoff that the tests ask for its draws.
    private static let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 8000)
    private static let seed: UInt64 = 7

    private func schedule() -> SyncSchedule {
        let options = SyncSchedule.Options(intervalSeconds: 60, jitterFraction: 0, backoff: Self.backoff)
        return SyncSchedule(options, random: ScheduleDice(seed: Self.seed))
    }

    private func expect(_ steps: [Step], sourceLocation: SourceLocation = #_sourceLocation) {
        var schedule = schedule()
        for (index, step) in steps.enumerated() {
            let effects = schedule.handle(step.event, nowMilliseconds: step.now)
            #expect(effects == step.effects, "step \(index)", sourceLocation: sourceLocation)
        }
    }

    private static let success = Event.syncEnded(.success)
    private static let failure = Event.syncEnded(.failure(retryAfterSeconds: nil))

    @Test("the first sync starts at once, the next a full interval after its end")
    func regular() {
        expect([
            Step(0, .started, [.startSync]),
            Step(5000, Self.success, [.setTimer(atMilliseconds: 65_000)]),
            Step(65_000, .timerFired, [.startSync]),
            Step(66_000, Self.success, [.setTimer(atMilliseconds: 126_000)]),
        ])
    }

    @Test("however often it is asked for during a sync, exactly one more follows")
    func requestsDuringSync() {
        expect([
            Step(0, .started, [.startSync]),
            Step(1, .syncRequested, []), Step(2, .syncRequested, []), Step(3, .syncRequested, []),
            Step(10, Self.success, [.startSync]),
            Step(20, Self.success, [.setTimer(atMilliseconds: 60_020)]),
        ])
    }

    @Test("a request while waiting starts a sync, and the old timer's late firing does nothing")
    func requestWhileWaiting() {
        expect([
            Step(0, .started, [.startSync]),
            Step(0, Self.success, [.setTimer(atMilliseconds: 60_000)]),
            Step(59_999, .syncRequested, [.startSync]),
            Step(60_000, .timerFired, []),
            Step(60_001, Self.success, [.setTimer(atMilliseconds: 120_001)]),
            Step(60_002, .timerFired, [.setTimer(atMilliseconds: 120_001)]),
            Step(120_001, .timerFired, [.startSync]),
        ])
    }

    @Test("failures draw from a growing range, and a success starts over")
    func failures() {
        var schedule = schedule()
        var dice = ScheduleDice(seed: Self.seed)
        var now: Int64 = 0
        #expect(schedule.handle(.started, nowMilliseconds: now) == [.startSync])
        for failures in [1, 2, 3, 4, 5, 6, 1, 2] {
            let delay = Self.backoff.delayMilliseconds(failures: failures, using: &dice)
            let effects = schedule.handle(Self.failure, nowMilliseconds: now)
            #expect(schedule.failures == failures)
            #expect(effects == [.setTimer(atMilliseconds: now + delay)])
            now += delay
            #expect(schedule.handle(.timerFired, nowMilliseconds: now) == [.startSync])
            guard failures == 6 else { continue }
            _ = Int64.random(in: 60_000...60_000, using: &dice)
            #expect(schedule.handle(Self.success, nowMilliseconds: now) == [.setTimer(atMilliseconds: now + 60_000)])
            #expect(schedule.failures == 0)
            now += 60_000
            #expect(schedule.handle(.timerFired, nowMilliseconds: now) == [.startSync])
        }
    }

    @Test("the centre's Retry-After is kept")
    func retryAfter() throws {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        let effects = schedule.handle(.syncEnded(.failure(retryAfterSeconds: 120)), nowMilliseconds: 500)
        let at = try #require(timer(effects))
        #expect(120_500...121_500 ~= at)
    }

    @Test("a request during a sync that fails waits for the retry and brings no second one")
    func requestDuringFailure() throws {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        #expect(schedule.handle(.syncRequested, nowMilliseconds: 1) == [])
        let at = try #require(timer(schedule.handle(Self.failure, nowMilliseconds: 2)))
        #expect(schedule.handle(.timerFired, nowMilliseconds: at) == [.startSync])
        #expect(timer(schedule.handle(Self.success, nowMilliseconds: at)) == at + 60_000)
    }

    @Test("stopped while waiting or before the start, it finishes at once and stays finished")
    func stopWhileWaiting() {
        expect([
            Step(0, .started, [.startSync]),
            Step(0, Self.success, [.setTimer(atMilliseconds: 60_000)]),
            Step(1, .stopped, [.finished]),
            Step(2, .stopped, []), Step(3, .syncRequested, []), Step(60_000, .timerFired, []), Step(4, .started, []),
        ])
        expect([Step(0, .stopped, [.finished]), Step(1, .started, [])])
    }

    @Test("stopped during a sync, it finishes with the sync's end and starts no other")
    func stopDuringSync() {
        expect([
            Step(0, .started, [.startSync]), Step(1, .syncRequested, []), Step(2, .stopped, []),
            Step(3, .syncRequested, []), Step(4, .stopped, []),
            Step(5, Self.failure, [.finished]), Step(6, Self.success, []),
        ])
    }

    @Test("events out of place do nothing")
    func outOfPlace() {
        expect([
            Step(0, .timerFired, []), Step(0, .syncRequested, []), Step(0, Self.success, []),
            Step(0, .started, [.startSync]), Step(1, .started, []), Step(1, .timerFired, []),
            Step(2, Self.success, [.setTimer(atMilliseconds: 60_002)]),
            Step(3, Self.success, []), Step(3, .started, []),
        ])
    }

    @Test("a clock that jumps forward by years brings on one sync, and one that jumps back costs no more than a wait")
    func clockJumps() {
        let years: Int64 = 10 * 366 * 86_400_000
        expect([
            Step(0, .started, [.startSync]),
            Step(0, Self.success, [.setTimer(atMilliseconds: 60_000)]),
            Step(years, .timerFired, [.startSync]),
            Step(years + 1, Self.success, [.setTimer(atMilliseconds: years + 60_001)]),
            Step(-years, .timerFired, [.startSync]),
            Step(-years, Self.success, [.setTimer(atMilliseconds: -years + 60_000)]),
            Step(-years + 60_000, .timerFired, [.startSync]),
            Step(.max, Self.success, [.setTimer(atMilliseconds: .max)]),
            Step(.min, .timerFired, [.startSync]),
            Step(.min, Self.success, [.setTimer(atMilliseconds: .min + 60_000)]),
            Step(.max, .timerFired, [.startSync]),
        ])
    }

    @Test("the interval varies by the jitter and no more")
    func jitter() throws {
        let options = SyncSchedule.Options(intervalSeconds: 100, jitterFraction: 0.1, backoff: Self.backoff)
        var schedule = SyncSchedule(options, random: ScheduleDice(seed: 5))
        _ = schedule.handle(.started, nowMilliseconds: 0)
        var delays: Set<Int64> = []
        for _ in 0..<200 {
            delays.insert(try #require(timer(schedule.handle(Self.success, nowMilliseconds: 0))))
            _ = schedule.handle(.syncRequested, nowMilliseconds: 0)
        }
        #expect(delays.allSatisfy { 90_000...110_000 ~= $0 })
        #expect(delays.count > 150)
    }

    @Test(
        "whatever the configuration, a success is followed by a wait of at least a second",
        arguments: [Int.min, -1, 0, 1, Int.max], [-Double.infinity, -1, 0.5, 1, .infinity, .nan])
    func configuration(intervalSeconds: Int, jitterFraction: Double) throws {
        let options = SyncSchedule.Options(
            intervalSeconds: intervalSeconds, jitterFraction: jitterFraction, backoff: Self.backoff)
        var schedule = SyncSchedule(options, random: ScheduleDice(seed: 6))
        _ = schedule.handle(.started, nowMilliseconds: 0)
        let at = try #require(timer(schedule.handle(Self.success, nowMilliseconds: 0)))
        #expect(1000...2 * 366 * 86_400_000 ~= at)
    }

    private func timer(_ effects: [Effect]) -> Int64? {
        guard effects.count == 1, case .setTimer(let at) = effects[0] else { return nil }
        return at
    }

    @Test(
        "in any history there is one timer or one sync at a time, never both, never neither",
        arguments: 1...5 as ClosedRange<UInt64>)
    func randomHistory(seed: UInt64) {
        var driver = ScheduleDriver(seed: seed)
        driver.deliver(.started)
        for _ in 0..<10_000 { driver.step() }
        #expect(driver.faults == [])
        #expect(driver.syncs > 1000)
        driver.deliver(.stopped)
        driver.endSync(.success)
        #expect(driver.isFinished)
        #expect(driver.faults == [])
    }
}
