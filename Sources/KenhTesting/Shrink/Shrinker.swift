/// Makes a failing sequence of steps small enough to be read (delta debugging, after Zeller and Hildebrandt, 2002).
///
/// A step must have a meaning whatever stands before it, since any of them may be left out.
public struct Shrinker: Sendable {
    /// How often the failing run may be tried again.
    public var attemptLimit: Int

    public init(attemptLimit: Int = 5_000) { self.attemptLimit = attemptLimit }

    /// The steps without those that the failure does not need.
    ///
    /// Unless the limit is met, the result still fails and would not with any one of its steps left out.
    ///
    /// - Parameters:
    ///   - steps: a sequence that fails.
    ///   - stillFails: runs a sequence from its beginning; must answer the same each time.
    public func shrink<Step>(_ steps: [Step], while stillFails: ([Step]) -> Bool) -> [Step] {
        var best = steps
        var attempts = 0
        var size = max(best.count / 2, 1)
        while !best.isEmpty, attempts < attemptLimit {
            let before = best.count
            removeChunks(of: size, from: &best, attempts: &attempts, while: stillFails)
            if size > 1 {
                size = max(size / 2, 1)
            } else if best.count == before {
                break
            }
        }
        return best
    }

    /// Tries each chunk once, the last first: what fails late rarely needs what came after.
    private func removeChunks<Step>(
        of size: Int, from best: inout [Step], attempts: inout Int, while stillFails: ([Step]) -> Bool
    ) {
        var end = best.count
        while end > 0, attempts < attemptLimit {
            let start = max(end - size, 0)
            let candidate = Array(best[..<start] + best[end...])
            attempts += 1
            if stillFails(candidate) { best = candidate }
            end = start
        }
    }
}
