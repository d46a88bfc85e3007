/// How long to wait after failures: full jitter (Brooker, "Exponential Backoff And Jitter", 2015), so that ten thousand
/// cells that failed together do not come back together.
public struct Backoff: Sendable, Equatable {
    /// The longest `Retry-After` that is believed: a day. A broken centre or proxy must not silence a cell for years.
    public static let longestRetryAfterSeconds = 86_400

    /// The upper end of the first wait.
    public let baseMilliseconds: Int64
    /// The upper end of every wait, without what `Retry-After` asks for.
    public let capMilliseconds: Int64

    /// Both come from people's configuration, so they are brought into range: base at least 1, cap at least base.
    public init(baseMilliseconds: Int64, capMilliseconds: Int64) {
        self.baseMilliseconds = max(baseMilliseconds, 1)
        self.capMilliseconds = max(capMilliseconds, self.baseMilliseconds)
    }

    /// The upper end of the wait after so many failures in a row: base, doubled for each after the first, up to the cap.
    public func ceilingMilliseconds(failures: Int) -> Int64 {
        var ceiling = baseMilliseconds
        var left = failures
        while left > 1, ceiling < capMilliseconds {
            let (doubled, overflow) = ceiling.multipliedReportingOverflow(by: 2)
            ceiling = overflow ? capMilliseconds : min(doubled, capMilliseconds)
            left -= 1
        }
        return ceiling
    }

    /// A wait drawn uniformly from zero to the ceiling, after whatever the centre asked for: those who were all told
    /// "in 30 seconds" come back spread out, too, and none of them sooner.
    public func delayMilliseconds(
        failures: Int, retryAfterSeconds: Int? = nil, using random: inout some RandomNumberGenerator
    ) -> Int64 {
        let asked = Int64(min(max(retryAfterSeconds ?? 0, 0), Self.longestRetryAfterSeconds)) * 1000
        let drawn = Int64.random(in: 0...ceilingMilliseconds(failures: failures), using: &random)
        let (delay, overflow) = asked.addingReportingOverflow(drawn)
        return overflow ? .max : delay
    }
}
