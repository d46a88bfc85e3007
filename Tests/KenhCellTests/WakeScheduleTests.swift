import KenhCell
import Testing

@Suite("When the stream is opened by which a centre wakes a cell")
struct WakeScheduleTests {
    private static let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 8000)

    private func schedule(seed: UInt64 = 7) -> WakeSchedule {
        WakeSchedule(backoff: Self.backoff, random: ScheduleDice(seed: seed))
    }

    private func timer(_ effects: [WakeSchedule.Effect]) -> Int64? {
        guard effects.count == 1, case .setTimer(let at) = effects[0] else { return nil }
        return at
    }

    @Test("at the start, and again after waits that are drawn from a growing range")
    func failures() {
        var schedule = schedule()
        var dice = ScheduleDice(seed: 7)
        var now: Int64 = 0
        #expect(schedule.handle(.started, nowMilliseconds: 0) == [.open])
        for failures in 1...6 {
            let delay = Self.backoff.delayMilliseconds(failures: failures, using: &dice)
            let effects = schedule.handle(.ended(.unreached), nowMilliseconds: now)
            #expect(effects == [.setTimer(atMilliseconds: now + delay)])
            now += delay
            #expect(schedule.handle(.timerFired, nowMilliseconds: now) == [.open])
        }
        #expect(schedule.failures == 6)
    }

    @Test("a stream that lasted starts the count over; one that ends at once is a failure like any other")
    func settled() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        for count in 1...3 {
            _ = schedule.handle(.opened, nowMilliseconds: 0)
            _ = schedule.handle(.ended(.ended), nowMilliseconds: WakeSchedule.settledMilliseconds - 1)
            #expect(schedule.failures == count)
            _ = schedule.handle(.timerFired, nowMilliseconds: 1_000_000)
        }
        _ = schedule.handle(.opened, nowMilliseconds: 0)
        _ = schedule.handle(.ended(.ended), nowMilliseconds: WakeSchedule.settledMilliseconds)
        #expect(schedule.failures == 1)
    }

    @Test("what the centre asks for is kept: Retry-After in full, its hint as the range of the first wait")
    func asked() throws {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        var at = try #require(
            timer(schedule.handle(.ended(.refused(retryAfterSeconds: 60)), nowMilliseconds: 0)))
        #expect(60_000...61_000 ~= at)
        var longest: Int64 = 0
        for seed in 1...200 as ClosedRange<UInt64> {
            schedule = self.schedule(seed: seed)
            _ = schedule.handle(.started, nowMilliseconds: 0)
            _ = schedule.handle(.hinted(milliseconds: 30_000), nowMilliseconds: 0)
            at = try #require(timer(schedule.handle(.ended(.ended), nowMilliseconds: 0)))
            longest = max(longest, at)
        }
        #expect(25_000...30_000 ~= longest)
    }

    @Test("at once where a sync reaches a centre that was out of reach, and for no other reason")
    func synced() {
        for ending: WakeSchedule.Ending in [.unreached, .ended, .refused(retryAfterSeconds: nil)] {
            var schedule = schedule()
            _ = schedule.handle(.started, nowMilliseconds: 0)
            #expect(schedule.handle(.synced, nowMilliseconds: 0) == [], "there is a stream")
            _ = schedule.handle(.ended(ending), nowMilliseconds: 0)
            #expect(schedule.handle(.synced, nowMilliseconds: 1) == (ending == .unreached ? [.open] : []), "\(ending)")
        }
    }

    @Test("never again where the centre does not know the route")
    func notOffered() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        #expect(schedule.handle(.ended(.notOffered), nowMilliseconds: 0) == [])
        for event: WakeSchedule.Event in [.timerFired, .synced, .started, .ended(.ended), .opened] {
            #expect(schedule.handle(event, nowMilliseconds: 1_000_000) == [], "\(event)")
        }
        #expect(schedule.handle(.stopped, nowMilliseconds: 0) == [.finished])
    }

    @Test("stopped, it finishes at once, or with the stream's end")
    func stopped() {
        var idle = schedule()
        #expect(idle.handle(.stopped, nowMilliseconds: 0) == [.finished])
        #expect(idle.handle(.started, nowMilliseconds: 0) == [])
        var open = schedule()
        _ = open.handle(.started, nowMilliseconds: 0)
        #expect(open.handle(.stopped, nowMilliseconds: 0) == [])
        #expect(open.handle(.synced, nowMilliseconds: 0) == [])
        #expect(open.handle(.ended(.unreached), nowMilliseconds: 0) == [.finished])
        var waiting = schedule()
        _ = waiting.handle(.started, nowMilliseconds: 0)
        _ = waiting.handle(.ended(.ended), nowMilliseconds: 0)
        #expect(waiting.handle(.stopped, nowMilliseconds: 0) == [.finished])
        #expect(waiting.handle(.timerFired, nowMilliseconds: 0) == [])
    }

    @Test("a timer that fires early is set again; after a clock that went back the stream is opened")
    func timers() throws {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        let at = try #require(timer(schedule.handle(.ended(.refused(retryAfterSeconds: 5)), nowMilliseconds: 0)))
        #expect(schedule.handle(.timerFired, nowMilliseconds: at - 1) == [.setTimer(atMilliseconds: at)])
        #expect(schedule.handle(.timerFired, nowMilliseconds: -1) == [.open])
        #expect(timer(schedule.handle(.ended(.ended), nowMilliseconds: .max)) == .max)
    }
}
