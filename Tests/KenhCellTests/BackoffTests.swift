import KenhCell
import Testing

@Suite("Backoff")
struct BackoffTests {
    @Test("the ceiling doubles with every failure up to the cap")
    func ceiling() {
        let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 10_000)
        #expect(
            (0...6).map { backoff.ceilingMilliseconds(failures: $0) } == [1000, 1000, 2000, 4000, 8000, 10_000, 10_000])
        #expect(backoff.ceilingMilliseconds(failures: .max) == 10_000)
        #expect(backoff.ceilingMilliseconds(failures: .min) == 1000)
    }

    @Test("waits are spread evenly over everything from zero to the ceiling")
    func fullJitter() {
        let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 60_000)
        var dice = ScheduleDice(seed: 1)
        var quarters = [0, 0, 0, 0]
        for _ in 0..<4000 {
            let delay = backoff.delayMilliseconds(failures: 3, using: &dice)
            #expect(0...4000 ~= delay)
            quarters[min(Int(delay) / 1000, 3)] += 1
        }
        #expect(quarters.allSatisfy { 850...1150 ~= $0 })
    }

    @Test("nobody comes back before Retry-After, and not all at the same moment")
    func retryAfter() {
        let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 60_000)
        var dice = ScheduleDice(seed: 2)
        let delays = (0..<100).map { _ in backoff.delayMilliseconds(failures: 1, retryAfterSeconds: 30, using: &dice) }
        #expect(delays.allSatisfy { 30_000...31_000 ~= $0 })
        #expect(Set(delays).count > 50)
    }

    @Test("a Retry-After of years is cut to a day, and a negative one is none")
    func absurdRetryAfter() {
        let backoff = Backoff(baseMilliseconds: 1000, capMilliseconds: 1000)
        var dice = ScheduleDice(seed: 3)
        let long = backoff.delayMilliseconds(failures: 1, retryAfterSeconds: .max, using: &dice)
        #expect(86_400_000...86_401_000 ~= long)
        #expect(0...1000 ~= backoff.delayMilliseconds(failures: 1, retryAfterSeconds: .min, using: &dice))
    }

    @Test("figures out of range are brought into it and nothing overflows")
    func configuration() {
        let none = Backoff(baseMilliseconds: -5, capMilliseconds: -9)
        #expect(none.baseMilliseconds == 1 && none.capMilliseconds == 1)
        let huge = Backoff(baseMilliseconds: 3, capMilliseconds: .max)
        #expect(huge.ceilingMilliseconds(failures: 1000) == .max)
        var dice = ScheduleDice(seed: 4)
        #expect(huge.delayMilliseconds(failures: 1000, retryAfterSeconds: .max, using: &dice) >= 86_400_000)
    }
}
