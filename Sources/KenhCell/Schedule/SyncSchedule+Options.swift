extension SyncSchedule {
    /// How often to sync. All of it comes from people's configuration and is brought into range.
    public struct Options: Sendable, Equatable {
        /// Between the end of one successful sync and the start of the next; a second to a year.
        public let intervalSeconds: Int
        /// The interval is stretched or shrunk by up to this part of it, 0 to 1, so that cells drift apart.
        public let jitterFraction: Double
        public let backoff: Backoff
        /// From the start of one sync that somebody else's change brought on to that of the next, at least; up to an hour.
        public let wakeGapMilliseconds: Int64
        /// Such a sync starts somewhere within this, so that all who are woken at once do not come at once; up to an hour.
        public let wakeSpreadMilliseconds: Int64

        public init(
            intervalSeconds: Int, jitterFraction: Double = 0.1, backoff: Backoff, wakeGapMilliseconds: Int64 = 2000,
            wakeSpreadMilliseconds: Int64 = 1000
        ) {
            self.wakeGapMilliseconds = min(max(wakeGapMilliseconds, 0), 3_600_000)
            self.wakeSpreadMilliseconds = min(max(wakeSpreadMilliseconds, 0), 3_600_000)
            self.intervalSeconds = min(max(intervalSeconds, 1), 366 * 86_400)
            self.jitterFraction = jitterFraction.isNaN ? 0 : min(max(jitterFraction, 0), 1)
            self.backoff = backoff
        }

        /// One interval with its jitter; never under a second.
        func intervalMilliseconds(using random: inout some RandomNumberGenerator) -> Int64 {
            let middle = Int64(intervalSeconds) * 1000
            let reach = Int64(Double(middle) * jitterFraction)
            return max(Int64.random(in: middle - reach...middle + reach, using: &random), 1000)
        }
    }
}
