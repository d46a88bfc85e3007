import Foundation
import KenhHub
import Logging

/// A thread that merges the log into the centre's view: when it is woken, and now and then for edits that other tools
/// made in the centre's own tables.
final class ViewFollower: Sendable {
    private let view: CentreView
    private let intervalSeconds: Double
    private let logger: Logger
    private let condition = NSCondition()
    nonisolated(unsafe) private var isWoken = false
    nonisolated(unsafe) private var isStopped = false
    nonisolated(unsafe) private var hasEnded = false

    init(view: CentreView, intervalSeconds: Double, logger: Logger) {
        self.view = view
        self.intervalSeconds = intervalSeconds
        self.logger = logger
    }

    func start() {
        let thread = Thread { [self] in follow() }
        thread.name = "kenh view"
        thread.stackSize = 8 << 20
        thread.start()
    }

    func wake() {
        condition.withLock {
            isWoken = true
            condition.signal()
        }
    }

    /// Returns when the thread has ended, so that the store can be closed.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.broadcast()
            while !hasEnded { condition.wait() }
        }
    }

    private func follow() {
        while true {
            do { try view.catchUp() } catch {
                logger.error("the centre's view fell behind", metadata: ["reason": "\(error)"])
            }
            condition.lock()
            if !isWoken, !isStopped { _ = condition.wait(until: Date(timeIntervalSinceNow: intervalSeconds)) }
            isWoken = false
            if isStopped {
                hasEnded = true
                condition.broadcast()
                condition.unlock()
                return
            }
            condition.unlock()
        }
    }
}
