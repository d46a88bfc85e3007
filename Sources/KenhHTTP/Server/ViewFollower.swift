import KenhHub
import Logging

/// A thread that merges the log into the centre's view: when it is woken, and now and then for edits that other tools
/// made in the centre's own tables. Other processes may have written into the log meanwhile, too, so whoever else
/// follows it is told each time.
final class ViewFollower: Sendable {
    private let view: CentreView
    private let logger: Logger
    private let onPass: @Sendable () -> Void
    private let thread: RepeatingThread

    /// - Parameter onPass: called each time that the view has caught up, or has failed to.
    init(
        view: CentreView, intervalSeconds: Double, logger: Logger, onPass: @escaping @Sendable () -> Void = {}
    ) {
        self.view = view
        self.logger = logger
        self.onPass = onPass
        thread = RepeatingThread("kenh view", every: intervalSeconds)
    }

    func start() {
        thread.start { [view, logger, onPass] in
            do { try view.catchUp() } catch {
                logger.error("the centre's view fell behind", metadata: ["reason": "\(error)"])
            }
            onPass()
        }
    }

    func wake() { thread.wake() }

    /// Returns when the thread has ended, so that the store can be closed.
    func stop() { thread.stop() }
}
