import Foundation

/// A thread that does one thing again and again: after so many seconds, and when it is woken.
final class RepeatingThread: Sendable {
    private let name: String
    private let intervalSeconds: Double
    private let quality: QualityOfService
    private let condition = NSCondition()
    nonisolated(unsafe) private var isWoken = false
    nonisolated(unsafe) private var mustStop = false
    nonisolated(unsafe) private var hasEnded = false

    init(_ name: String, every intervalSeconds: Double, _ quality: QualityOfService = .default) {
        self.name = name
        self.intervalSeconds = intervalSeconds
        self.quality = quality
    }

    /// - Parameter body: ends early once ``isStopped``.
    func start(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread { [self] in
            while true {
                body()
                if waitForNext() { return }
            }
        }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.qualityOfService = quality
        thread.start()
    }

    var isStopped: Bool { condition.withLock { mustStop } }

    func wake() {
        condition.withLock {
            isWoken = true
            condition.signal()
        }
    }

    /// Returns when the thread has ended, so that what it uses can be closed.
    func stop() {
        condition.withLock {
            mustStop = true
            condition.broadcast()
            while !hasEnded { condition.wait() }
        }
    }

    /// - Returns: whether it is over.
    private func waitForNext() -> Bool {
        condition.withLock {
            if !isWoken, !mustStop { _ = condition.wait(until: Date(timeIntervalSinceNow: intervalSeconds)) }
            isWoken = false
            guard mustStop else { return false }
            hasEnded = true
            condition.broadcast()
            return true
        }
    }
}
