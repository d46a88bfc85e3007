import Foundation
import KenhHub
import KenhProtocol
import Logging

/// A thread that makes a new snapshot of a channel when its log has grown by so much that those who begin with it would
/// save by it.
final class SnapshotKeeper: Sendable {
    private let hub: Hub
    private let options: SnapshotOptions
    private let logger: Logger
    private let condition = NSCondition()
    nonisolated(unsafe) private var isStopped = false
    nonisolated(unsafe) private var hasEnded = false

    init(hub: Hub, options: SnapshotOptions, logger: Logger) {
        self.hub = hub
        self.options = options
        self.logger = logger
    }

    func start() {
        let thread = Thread { [self] in keep() }
        thread.name = "kenh snapshots"
        thread.stackSize = 8 << 20
        thread.qualityOfService = .background
        thread.start()
    }

    /// Returns when the thread has ended; one that is being made is given up.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.broadcast()
            while !hasEnded { condition.wait() }
        }
    }

    private func keep() {
        Hub.sweepSnapshotMakers(in: options.folder, olderThan: Date(timeIntervalSinceNow: -86_400))
        while true {
            for channel in (try? hub.snapshotChannels()) ?? [] where !condition.withLock({ isStopped }) {
                do { try make(channel) } catch is Stopped { break } catch {
                    logger.error(
                        "no snapshot was made", metadata: ["channel": "\(channel)", "reason": "\(error)"])
                }
            }
            condition.lock()
            if !isStopped { _ = condition.wait(until: Date(timeIntervalSinceNow: options.intervalSeconds)) }
            if isStopped {
                hasEnded = true
                condition.broadcast()
                condition.unlock()
                return
            }
            condition.unlock()
        }
    }

    private struct Stopped: Error {}

    private func make(_ channel: String) throws {
        let before = hub.now() - options.ageMilliseconds
        let gain = try hub.snapshotGain(of: channel, acceptedBefore: before)
        guard gain.newBytes >= max(options.leastBytes, gain.coveredBytes / 2) else { return }
        let made = try hub.makeSnapshot(of: channel, upTo: gain.sequence, in: options.folder) { _ in
            if condition.withLock({ isStopped }) { throw Stopped() }
        }
        logger.info(
            "snapshot made",
            metadata: [
                "channel": "\(channel)", "entries": "\(made.manifest.sequence)", "rows": "\(made.manifest.rows)",
            ])
    }
}

/// When snapshots are made.
public struct SnapshotOptions: Sendable {
    /// For makers' stores.
    public var folder: String
    /// Only entries as old as this are covered: a backup of the centre that is put back should have them, since whoever
    /// begins with a snapshot cannot hand their blocks back.
    public var ageMilliseconds: Int64 = 7 * 86_400_000
    /// Below this a channel's blocks are as soon sent.
    public var leastBytes = 1 << 20
    public var intervalSeconds = 600.0

    public init(folder: String) { self.folder = folder }
}
