import Foundation
import KenhProtocol
import KenhStore
import Logging
import Metrics
import ServiceLifecycle

/// Keeps a cell in step with its centre: on a schedule, and within a moment where the centre wakes it. Between syncs it
/// does nothing: there is one timer, and a stream that is waited for.
public struct CellDaemon: Service {
    private let makeSync: @Sendable () throws -> CellSync
    private let onSynced: @Sendable () -> Void
    private let cancellation: Cancellation
    private let schedule: SyncSchedule.Options
    private let wake: WakeFollower?
    private let logger: Logger

    /// - Parameters:
    ///   - makeSync: what one sync is run with; called on the daemon's own thread each time.
    ///   - cancellation: ends a transfer under way when the daemon is stopped.
    ///   - wake: by what the centre wakes the cell, over a transport with the same cancellation; nil for the schedule alone.
    ///   - onSynced: told after each sync that succeeded; must not block.
    public init(
        schedule: SyncSchedule.Options, cancellation: Cancellation, wake: WakeFollower? = nil, logger: Logger,
        onSynced: @escaping @Sendable () -> Void = {}, makeSync: @escaping @Sendable () throws -> CellSync
    ) {
        self.onSynced = onSynced
        self.schedule = schedule
        self.cancellation = cancellation
        self.wake = wake
        self.logger = logger
        self.makeSync = makeSync
    }

    public func run() async throws {
        let (events, feed) = AsyncStream.makeStream(of: SyncSchedule.Event.self)
        var machine = SyncSchedule(schedule)
        feed.yield(.started)
        await withGracefulShutdownHandler {
            let following = wake.map { wake in Task { await wake.run { feed.yield(.woken) } } }
            var timer: Task<Void, Never>?
            for await event in events {
                for effect in machine.handle(event, nowMilliseconds: MonotonicTime.milliseconds()) {
                    switch effect {
                    case .startSync:
                        timer?.cancel()
                        startSync(feed)
                    case .setTimer(let at):
                        timer?.cancel()
                        timer = MonotonicTime.timer(at: at) { feed.yield(.timerFired) }
                    case .finished:
                        timer?.cancel()
                        feed.finish()
                    }
                }
            }
            cancellation.cancel()
            wake?.stop()
            await following?.value
        } onGracefulShutdown: {
            cancellation.cancel()
            feed.yield(.stopped)
        }
    }

    /// Syncing blocks, so it has a thread of its own.
    private func startSync(_ feed: AsyncStream<SyncSchedule.Event>.Continuation) {
        let thread = Thread { feed.yield(.syncEnded(sync())) }
        thread.name = "kenh sync"
        thread.stackSize = 8 << 20
        thread.start()
    }

    private func sync() -> SyncSchedule.Outcome {
        let started = MonotonicTime.milliseconds()
        do {
            let report = try makeSync().run()
            wake?.synced()
            note(report, milliseconds: MonotonicTime.milliseconds() - started)
            onSynced()
            return report.refusals.isEmpty ? .success : .failure(retryAfterSeconds: nil)
        } catch {
            Counter(label: "kenh_cell_sync_failures").increment()
            logger.warning("sync failed", metadata: ["reason": "\(error)"])
            return .failure(retryAfterSeconds: (error as? CellError)?.retryAfterSeconds)
        }
    }

    private func note(_ report: SyncReport, milliseconds: Int64) {
        Counter(label: "kenh_cell_syncs").increment()
        Counter(label: "kenh_cell_sent_changes").increment(by: report.sentChanges)
        Counter(label: "kenh_cell_merged_changes").increment(by: report.mergedChanges)
        let metadata: Logger.Metadata = [
            "sent": "\(report.sentChanges)", "merged": "\(report.mergedChanges)", "ms": "\(milliseconds)",
            "rounds": "\(report.rounds)",
        ]
        let isIdle = report.sentChanges == 0 && report.mergedChanges == 0
        logger.log(level: isIdle ? .debug : .info, "synced", metadata: metadata)
        if report.regainedBlocks > 0 {
            logger.warning(
                "this store is an older copy of itself, or there is another copy",
                metadata: ["regained": "\(report.regainedBlocks)"])
        }
        if report.handedBackBlocks > 0 {
            logger.warning(
                "the centre was restored from an older copy", metadata: ["handedBack": "\(report.handedBackBlocks)"])
        }
        if report.rejectedChanges > 0 {
            logger.warning(
                "changes were taken out again: the cell was not allowed to make them",
                metadata: ["rejected": "\(report.rejectedChanges)"])
        }
        for channel in report.leftChannels {
            logger.notice("the cell takes no part any more", metadata: ["channel": "\(channel)"])
        }
        for refusal in report.refusals {
            logger.error("the centre refused a block", metadata: ["reason": "\(refusal)"])
        }
        for channel in report.unequalChannels {
            logger.error("merged state differs from the centre's", metadata: ["channel": "\(channel)"])
        }
    }
}
