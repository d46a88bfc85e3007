/// A hybrid logical clock (Kulkarni et al., 2014): 48 bits of milliseconds since 1970 and a 16-bit tick that carries
/// into the milliseconds. It orders concurrent writes for people; whether writes are concurrent is never read from it.
@frozen
public struct HybridClock: Hashable, Comparable, Sendable {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Out-of-range milliseconds (a clock before 1970, or after the year 10,000) are clamped.
    @inlinable
    public init(milliseconds: Int64, tick: UInt16 = 0) {
        let clamped = UInt64(min(max(milliseconds, 0), Int64(1) << 48 - 1))
        rawValue = clamped << 16 | UInt64(tick)
    }

    @inlinable
    public var milliseconds: Int64 { Int64(rawValue >> 16) }

    @inlinable
    public var tick: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// The least clock after this one.
    @inlinable
    public var next: HybridClock { HybridClock(rawValue: rawValue == .max ? .max : rawValue + 1) }

    @inlinable
    public static func < (a: HybridClock, b: HybridClock) -> Bool { a.rawValue < b.rawValue }

    /// How far ahead of the centre's acceptance a claim may stand, in milliseconds; part of the protocol, version 1.
    public static let toleranceMilliseconds: Int64 = 300_000

    /// The clock that every node orders by: the claim, but at most the acceptance plus the tolerance.
    @inlinable
    public func effective(acceptedAtMilliseconds: Int64?) -> HybridClock {
        guard let acceptedAtMilliseconds else { return self }
        return min(self, Self.latestTolerated(atMilliseconds: acceptedAtMilliseconds))
    }

    /// The clock of a new change at local time `now` that overwrites writes whose highest effective clock is `floor`.
    ///
    /// The floor leaves out the writer's own claims and never lies beyond the tolerance, so that one wrong clock does
    /// not push everybody else's forward.
    @inlinable
    public static func stamp(nowMilliseconds now: Int64, floor: HybridClock?) -> HybridClock {
        let wall = HybridClock(milliseconds: now)
        guard let floor else { return wall }
        let capped = min(floor, latestTolerated(atMilliseconds: now))
        return max(wall, capped.next)
    }

    /// Times come from the wire and from people's laptops: a sum out of range is clamped, not a trap.
    @usableFromInline
    static func latestTolerated(atMilliseconds time: Int64) -> HybridClock {
        let (sum, overflow) = time.addingReportingOverflow(toleranceMilliseconds)
        return HybridClock(milliseconds: overflow ? .max : sum)
    }
}
