import Foundation
import Logging
import ServiceLifecycle

/// Moves attachments in a daemon, on a thread of its own: after each sync, and when one that failed is due again. However
/// long it takes, no sync waits for it.
public final class AttachmentWorker: Service {
    private let makeSync: @Sendable () throws -> AttachmentSync
    private let cancellation: Cancellation
    private let logger: Logger
    private let condition = NSCondition()
    nonisolated(unsafe) private var isWoken = false
    nonisolated(unsafe) private var isStopped = false

    /// Between two looks at what is due, so that a transfer that is always due costs little.
    private static let leastWaitSeconds = 5.0
    private static let longestWaitSeconds = 3600.0

    /// - Parameters:
    ///   - cancellation: of the transport and the sync; ends a piece under way when the daemon is stopped.
    ///   - makeSync: what one run is done with; called on the worker's thread.
    public init(
        cancellation: Cancellation, logger: Logger, makeSync: @escaping @Sendable () throws -> AttachmentSync
    ) {
        self.cancellation = cancellation
        self.logger = logger
        self.makeSync = makeSync
    }

    /// Something may be due. Returns at once.
    public func wake() {
        condition.withLock {
            isWoken = true
            condition.signal()
        }
    }

    public func run() async throws {
        let (ended, feed) = AsyncStream.makeStream(of: Void.self)
        let thread = Thread { [self] in
            work()
            feed.finish()
        }
        thread.name = "kenh attachments"
        thread.stackSize = 8 << 20
        thread.start()
        await withGracefulShutdownHandler {
            for await _ in ended {}
        } onGracefulShutdown: { [self] in
            cancellation.cancel()
            condition.withLock {
                isStopped = true
                condition.signal()
            }
        }
    }

    private func work() {
        // The first sync wakes it: changes go first.
        var wait = Self.longestWaitSeconds
        while awaitWork(seconds: wait) {
            do { wait = try once() } catch {
                logger.warning("attachments cannot be moved", metadata: ["reason": "\(error)"])
                wait = Self.longestWaitSeconds
            }
        }
    }

    /// False once the daemon is to end.
    private func awaitWork(seconds: Double) -> Bool {
        condition.withLock {
            let until = Date(timeIntervalSinceNow: seconds)
            while !isWoken, !isStopped, condition.wait(until: until) {}
            isWoken = false
            return !isStopped
        }
    }

    /// One run.
    ///
    /// - Returns: seconds until something is due.
    private func once() throws -> Double {
        let sync = try makeSync()
        let report = try sync.run()
        if report.sent + report.fetched > 0 {
            logger.info("attachments moved", metadata: ["sent": "\(report.sent)", "fetched": "\(report.fetched)"])
        }
        for failure in report.failures { logger.warning("an attachment waits", metadata: ["reason": "\(failure)"]) }
        guard let due = try sync.nextDue() else { return Self.longestWaitSeconds }
        return min(max(sync.seconds(until: due), Self.leastWaitSeconds), Self.longestWaitSeconds)
    }
}
