import Foundation
import KenhHub
import Logging

/// A thread that merges the log into the centre's view: when it is woken, and now and then for edits that other tools
/// made in the centre's own tables. Other processes may have written into the log meanwhile, too, so whoever else
/// follows it is told each time.
final class ViewFollower: Sendable {
    private let view: CentreView
    private let intervalSeconds: Double
    private let logger: Logger
    private let onPass: @Sendable () -> Void
    private let condition = NSCondition()
    nonisolated(unsafe) private var isWoken = false
    nonisolated(unsafe) private var isStopped = false
    nonisolated(unsafe) private var hasEnded = false

    /// - Parameter onPass: called each time that the view has caught up, or has failed to.
    init(
        view: CentreView, intervalSeconds: Double, logger: Logger, onPass: @escaping @Sendable () -> Void = {}
    ) {
        self.view = view
        self.intervalSeconds = intervalSeconds
        self.logger = logger
        self.onPass = onPass
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
            onPass()
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
