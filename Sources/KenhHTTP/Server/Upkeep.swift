import Foundation
import KenhHub
import KenhProtocol
import Logging
import Synchronization

/// A thread that keeps a centre in order: it makes new snapshots of channels whose logs have grown by so much that those who
/// begin with one would save by it, and once a day makes deletions final and moves old blocks into archives.
final class Upkeep: Sendable {
    private let hub: Hub
    private let view: CentreView
    private let options: UpkeepOptions
    private let logger: Logger
    private let thread: RepeatingThread
    private let nextDay = Mutex(Int64.min)

    init(hub: Hub, view: CentreView, options: UpkeepOptions, logger: Logger) {
        self.hub = hub
        self.view = view
        self.options = options
        self.logger = logger
        thread = RepeatingThread("kenh upkeep", every: options.intervalSeconds, .background)
    }

    func start() {
        Hub.sweepSnapshotMakers(in: options.folder, olderThan: Date(timeIntervalSinceNow: -86_400))
        thread.start { [self] in pass() }
    }

    /// Returns when the thread has ended; a snapshot that is being made is given up.
    func stop() { thread.stop() }

    private func pass() {
        let channels = (try? hub.snapshotChannels()) ?? []
        for channel in channels { attempt("no snapshot was made", of: channel) { try makeSnapshot(of: channel) } }
        guard isNextDay() else { return }
        attempt("deletions were not settled") { try settleDeletions() }
        for channel in channels { attempt("nothing was archived", of: channel) { try archive(channel) } }
    }

    private func isNextDay() -> Bool {
        let now = hub.now()
        return nextDay.withLock { next in
            guard now >= next else { return false }
            next = now + options.dayMilliseconds
            return true
        }
    }

    private struct Stopped: Error {}

    private func attempt(_ failure: Logger.Message, of channel: String? = nil, _ body: () throws -> Void) {
        guard !thread.isStopped else { return }
        do { try body() } catch is Stopped { return } catch {
            var metadata: Logger.Metadata = ["reason": "\(error)"]
            metadata["channel"] = channel.map { "\($0)" }
            logger.error(failure, metadata: metadata)
        }
    }

    private func makeSnapshot(of channel: String) throws {
        let before = hub.now() - options.snapshotAgeMilliseconds
        let gain = try hub.snapshotGain(of: channel, acceptedBefore: before)
        guard gain.newBytes >= max(options.leastSnapshotBytes, gain.coveredBytes / 2) else { return }
        let made = try hub.makeSnapshot(of: channel, upTo: gain.sequence, in: options.folder) { _ in
            if thread.isStopped { throw Stopped() }
        }
        logger.info(
            "snapshot made",
            metadata: [
                "channel": "\(channel)", "entries": "\(made.manifest.sequence)", "rows": "\(made.manifest.rows)",
            ])
    }

    private func settleDeletions() throws {
        let report = try view.settleDeletions(patience: options.patienceMilliseconds)
        guard report.writes > 0 else { return }
        logger.info(
            "deletions are final",
            metadata: ["writes": "\(report.writes)", "channels": "\(report.channels.joined(separator: ", "))"])
    }

    private func archive(_ channel: String) throws {
        guard let shelf = options.archives else { return }
        let before = hub.now() - options.archiveAgeMilliseconds
        guard try hub.archivableBytes(of: channel, acceptedBefore: before) >= options.leastArchiveBytes else { return }
        while !thread.isStopped, let made = try hub.archive(channel, acceptedBefore: before, on: shelf) {
            logger.info(
                "blocks archived",
                metadata: [
                    "channel": "\(channel)", "entries": "\(made.first) to \(made.last)", "file": "\(made.name)",
                ])
        }
    }
}

/// What a centre does by itself, and when.
public struct UpkeepOptions: Sendable {
    /// For makers' stores.
    public var folder: String
    /// Only entries as old as this are covered: a backup of the centre that is put back should have them, since whoever
    /// begins with a snapshot cannot hand their blocks back.
    public var snapshotAgeMilliseconds: Int64 = 7 * 86_400_000
    /// Below this a channel's blocks are as soon sent.
    public var leastSnapshotBytes = 1 << 20
    /// For how long a device is waited for before deletions are final without it.
    public var patienceMilliseconds: Int64 = 366 * 86_400_000
    /// Nil of a centre that archives nothing by itself.
    public var archives: ArchiveShelf?
    public var archiveAgeMilliseconds: Int64 = 365 * 86_400_000
    /// Below this a file is not worth having.
    public var leastArchiveBytes = 16 << 20
    public var intervalSeconds = 600.0
    /// Between two looks for deletions and old blocks.
    public var dayMilliseconds: Int64 = 86_400_000

    public init(folder: String) { self.folder = folder }
}
