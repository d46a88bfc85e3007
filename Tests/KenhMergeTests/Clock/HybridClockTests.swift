import KenhMerge
import Testing

@Suite struct HybridClockTests {
    private let noon: Int64 = 1_700_000_000_000
    private let tolerance = HybridClock.toleranceMilliseconds

    @Test("Milliseconds and tick are what they were made of")
    func parts() {
        let clock = HybridClock(milliseconds: noon, tick: 7)
        #expect(clock.milliseconds == noon && clock.tick == 7)
        #expect(clock.rawValue == UInt64(noon) << 16 | 7)
    }

    @Test("The tick carries into the milliseconds")
    func carry() {
        #expect(HybridClock(milliseconds: noon).next == HybridClock(milliseconds: noon, tick: 1))
        #expect(HybridClock(milliseconds: noon, tick: .max).next == HybridClock(milliseconds: noon + 1))
    }

    @Test("Nothing comes after the last clock")
    func last() {
        let last = HybridClock(rawValue: .max)
        #expect(last.next == last)
        #expect(HybridClock.stamp(nowMilliseconds: noon, floor: last).milliseconds == noon + tolerance)
        #expect(HybridClock.stamp(nowMilliseconds: .max, floor: last).milliseconds == last.milliseconds)
    }

    @Test("Times before 1970 and beyond 48 bits are clamped", arguments: [-1, Int64.min, Int64.max, 1 << 48])
    func clamp(milliseconds: Int64) {
        let expected: Int64 = milliseconds < 0 ? 0 : 1 << 48 - 1
        #expect(HybridClock(milliseconds: milliseconds).milliseconds == expected)
    }

    @Test("Milliseconds decide before ticks")
    func order() {
        #expect(HybridClock(milliseconds: 1, tick: .max) < HybridClock(milliseconds: 2))
        #expect(HybridClock(milliseconds: 2, tick: 0) < HybridClock(milliseconds: 2, tick: 1))
    }

    @Test("A claim stands until it is more than the tolerance ahead of its acceptance")
    func effective() {
        let claim = HybridClock(milliseconds: noon, tick: 3)
        #expect(claim.effective(acceptedAtMilliseconds: nil) == claim)
        #expect(claim.effective(acceptedAtMilliseconds: noon) == claim)
        #expect(claim.effective(acceptedAtMilliseconds: noon - tolerance + 1) == claim)
        let late = noon - tolerance - 1
        #expect(claim.effective(acceptedAtMilliseconds: late) == HybridClock(milliseconds: noon - 1))
    }

    @Test("An absurd acceptance time from the wire is clamped, not a trap", arguments: [Int64.min, Int64.max, -1])
    func absurdAcceptance(acceptedAt: Int64) {
        let claim = HybridClock(milliseconds: noon)
        let expected = acceptedAt > 0 ? claim : HybridClock(milliseconds: max(acceptedAt, -tolerance) + tolerance)
        #expect(claim.effective(acceptedAtMilliseconds: acceptedAt) == expected)
        _ = HybridClock.stamp(nowMilliseconds: acceptedAt, floor: claim)
    }

    @Test("A new change takes the wall clock where that is later than what it overwrites")
    func wall() {
        let floor = HybridClock(milliseconds: noon - 1, tick: 9)
        #expect(HybridClock.stamp(nowMilliseconds: noon, floor: floor) == HybridClock(milliseconds: noon))
        #expect(HybridClock.stamp(nowMilliseconds: noon, floor: nil) == HybridClock(milliseconds: noon))
    }

    @Test("A slow wall clock is pushed just above what the change overwrites")
    func floor() {
        let floor = HybridClock(milliseconds: noon + 1_000, tick: 9)
        #expect(HybridClock.stamp(nowMilliseconds: noon, floor: floor) == floor.next)
    }

    @Test("A floor beyond the tolerance pushes no further than the tolerance")
    func tolerated() {
        let floor = HybridClock(milliseconds: noon + 10 * tolerance)
        let stamp = HybridClock.stamp(nowMilliseconds: noon, floor: floor)
        #expect(stamp == HybridClock(milliseconds: noon + tolerance, tick: 1))
    }
}
