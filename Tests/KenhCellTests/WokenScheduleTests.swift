import KenhCell
import Testing

@Suite("A cell that is woken")
struct WokenScheduleTests {
    private static let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 8000)
    private static let success = SyncSchedule.Event.syncEnded(.success)

    /// An hour between syncs, two seconds between those that are brought on, and no spread unless it is asked for.
    private func schedule(spread: Int64 = 0, seed: UInt64 = 7) -> SyncSchedule {
        SyncSchedule(
            .init(
                intervalSeconds: 3600, jitterFraction: 0, backoff: Self.backoff, wakeGapMilliseconds: 2000,
                wakeSpreadMilliseconds: spread), random: ScheduleDice(seed: seed))
    }

    private func timer(_ effects: [SyncSchedule.Effect]) -> Int64? {
        guard effects.count == 1, case .setTimer(let at) = effects[0] else { return nil }
        return at
    }

    @Test("syncs at once, and the schedule goes on from there")
    func soon() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        _ = schedule.handle(Self.success, nowMilliseconds: 0)
        #expect(schedule.handle(.woken, nowMilliseconds: 60_000) == [.setTimer(atMilliseconds: 60_000)])
        #expect(schedule.handle(.timerFired, nowMilliseconds: 60_000) == [.startSync])
        #expect(
            schedule.handle(Self.success, nowMilliseconds: 60_100) == [.setTimer(atMilliseconds: 3_660_100)])
    }

    @Test("however often it is woken, syncs that are brought on start two seconds apart or more")
    func gap() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        _ = schedule.handle(Self.success, nowMilliseconds: 0)
        var starts: [Int64] = []
        var due: Int64?
        for now in stride(from: Int64(10), to: 20_000, by: 10) {
            var effects: [SyncSchedule.Effect] = []
            if let at = due, now >= at {
                due = nil
                effects += schedule.handle(.timerFired, nowMilliseconds: now)
            }
            effects += schedule.handle(.woken, nowMilliseconds: now)
            for effect in effects {
                switch effect {
                case .startSync:
                    starts.append(now)
                    due = timer(schedule.handle(Self.success, nowMilliseconds: now + 5))
                case .setTimer(let at): due = at
                case .finished: Issue.record("it finished")
                }
            }
        }
        #expect(starts.count >= 9)
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 >= 2000 })
    }

    @Test("during a sync: one more follows its end, and one only")
    func during() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        for now in 1...3 as ClosedRange<Int64> { #expect(schedule.handle(.woken, nowMilliseconds: now) == []) }
        #expect(schedule.handle(Self.success, nowMilliseconds: 10) == [.setTimer(atMilliseconds: 10)])
        #expect(schedule.handle(.woken, nowMilliseconds: 11) == [], "it is on its way")
        #expect(schedule.handle(.timerFired, nowMilliseconds: 12) == [.startSync])
        #expect(schedule.handle(.woken, nowMilliseconds: 13) == [])
        #expect(schedule.handle(.syncRequested, nowMilliseconds: 14) == [])
        #expect(schedule.handle(Self.success, nowMilliseconds: 20) == [.startSync], "a person's comes at once")
        #expect(schedule.handle(Self.success, nowMilliseconds: 30) == [.setTimer(atMilliseconds: 3_600_030)])
    }

    @Test("after a failure: it waits as it would without, for Retry-After too")
    func backoff() throws {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 0)
        #expect(schedule.handle(.woken, nowMilliseconds: 1) == [])
        let failed = schedule.handle(.syncEnded(.failure(retryAfterSeconds: 120)), nowMilliseconds: 2)
        let at = try #require(timer(failed))
        #expect(120_002...121_002 ~= at)
        #expect(schedule.handle(.woken, nowMilliseconds: 3) == [])
        #expect(schedule.handle(.timerFired, nowMilliseconds: at) == [.startSync])
        #expect(schedule.handle(Self.success, nowMilliseconds: at) == [.setTimer(atMilliseconds: at + 3_600_000)])
        #expect(schedule.handle(.woken, nowMilliseconds: at + 1) == [.setTimer(atMilliseconds: at + 1)])
    }

    @Test("cells that are woken together come within a second, spread out")
    func spread() {
        let delays = (0..<1000 as Range<UInt64>).compactMap { seed in
            var schedule = schedule(spread: 1000, seed: seed)
            _ = schedule.handle(.started, nowMilliseconds: 0)
            _ = schedule.handle(Self.success, nowMilliseconds: 0)
            return timer(schedule.handle(.woken, nowMilliseconds: 5000)).map { $0 - 5000 }
        }
        #expect(delays.count == 1000 && delays.allSatisfy { 0...1000 ~= $0 })
        for tenth in 0..<10 as Range<Int64> {
            let share = delays.filter { $0 / 100 == tenth }.count
            #expect(60...140 ~= share, "\(share) come in tenth \(tenth) of the second")
        }
    }

    @Test("just before the schedule's own sync: that one is enough")
    func due() {
        var schedule = schedule(spread: 1000)
        _ = schedule.handle(.started, nowMilliseconds: 0)
        _ = schedule.handle(Self.success, nowMilliseconds: 0)
        #expect(schedule.handle(.woken, nowMilliseconds: 3_600_000) == [])
        #expect(schedule.handle(.timerFired, nowMilliseconds: 3_600_000) == [.startSync])
    }

    @Test("by a clock that was set back: it waits no longer than it would without")
    func clockBack() {
        var schedule = schedule()
        _ = schedule.handle(.started, nowMilliseconds: 1_000_000_000)
        _ = schedule.handle(Self.success, nowMilliseconds: 1_000_000_000)
        _ = schedule.handle(.woken, nowMilliseconds: 1_000_000_000)
        _ = schedule.handle(.timerFired, nowMilliseconds: 1_000_000_000)
        _ = schedule.handle(Self.success, nowMilliseconds: 0)
        #expect(schedule.handle(.woken, nowMilliseconds: 0) == [.setTimer(atMilliseconds: 0)])
        #expect(schedule.handle(.timerFired, nowMilliseconds: .min) == [.startSync])
        _ = schedule.handle(Self.success, nowMilliseconds: .max)
        _ = schedule.handle(.woken, nowMilliseconds: .min)
        _ = schedule.handle(.woken, nowMilliseconds: .max)
    }

    @Test("before the start, while it stops and after: nothing happens")
    func outOfPlace() {
        var schedule = schedule()
        #expect(schedule.handle(.woken, nowMilliseconds: 0) == [])
        _ = schedule.handle(.started, nowMilliseconds: 0)
        _ = schedule.handle(.stopped, nowMilliseconds: 0)
        #expect(schedule.handle(.woken, nowMilliseconds: 0) == [])
        #expect(schedule.handle(Self.success, nowMilliseconds: 0) == [.finished])
        #expect(schedule.handle(.woken, nowMilliseconds: 0) == [])
    }
}
