import Foundation
import KenhProtocol
import Logging
import Metrics

/// Keeps the stream open by which the centre wakes a cell, on a thread of its own, and says when it does. Whatever goes
/// wrong with it is no reason for a sync to fail: the schedule needs no waking.
public final class WakeFollower: Sendable {
    public struct Options: Sendable {
        /// A stream is dead where not even a comment came for so long. Three times what the centre lets pass.
        public var stallMilliseconds: Int64 = 90_000
        public var backoff = Backoff(baseMilliseconds: 3000, capMilliseconds: 300_000)

        public init() {}
    }

    private let access: @Sendable () throws -> (client: CentreClient, centre: PublicKey)
    private let transport: any EventTransport
    private let options: Options
    private let logger: Logger
    private let events: AsyncStream<WakeSchedule.Event>
    private let feed: AsyncStream<WakeSchedule.Event>.Continuation

    /// - Parameters:
    ///   - transport: what cancels it ends the stream, too.
    ///   - access: asked before each stream, since keys are replaced: this device's, and the centre's.
    public init(
        transport: any EventTransport, options: Options = Options(), logger: Logger,
        access: @escaping @Sendable () throws -> (client: CentreClient, centre: PublicKey)
    ) {
        self.access = access
        self.transport = transport
        self.options = options
        self.logger = logger
        (events, feed) = AsyncStream.makeStream()
    }

    /// Returns once it was stopped and the stream has ended. To be called once.
    ///
    /// - Parameter wake: something may have moved; called on any thread.
    public func run(_ wake: @escaping @Sendable () -> Void) async {
        var machine = WakeSchedule(backoff: options.backoff)
        feed.yield(.started)
        var timer: Task<Void, Never>?
        for await event in events {
            for effect in machine.handle(event, nowMilliseconds: MonotonicTime.milliseconds()) {
                timer?.cancel()
                switch effect {
                case .open: open(wake)
                case .setTimer(let at): timer = MonotonicTime.timer(at: at) { [feed] in feed.yield(.timerFired) }
                case .finished: feed.finish()
                }
            }
        }
    }

    /// A sync has reached the centre.
    public func synced() { feed.yield(.synced) }

    /// The stream itself is ended by what cancels the transport.
    public func stop() { feed.yield(.stopped) }

    private func open(_ wake: @escaping @Sendable () -> Void) {
        let thread = Thread { [self] in feed.yield(.ended(listen(wake))) }
        thread.name = "kenh wake"
        thread.start()
    }

    private func listen(_ wake: @escaping @Sendable () -> Void) -> WakeSchedule.Ending {
        let (client, centre): (CentreClient, PublicKey)
        do { (client, centre) = try access() } catch {
            logger.warning("no stream to be woken by", metadata: ["reason": "\(error)"])
            return .refused(retryAfterSeconds: nil)
        }
        var parser = EventStreamParser()
        let (ending, reason) = client.listen(
            over: transport, centre: centre, stallMilliseconds: options.stallMilliseconds
        ) { [feed] bytes in
            let events = parser.take(bytes)
            if events.contains(where: { $0.type == "ready" }) { feed.yield(.opened) }
            // What moved before the stream was there may have been missed.
            if events.contains(where: { $0.type == "ready" || $0.type == "moved" }) {
                Counter(label: "kenh_cell_wakes").increment()
                wake()
            }
            return !parser.isTooLong
        }
        if let hint = parser.retryMilliseconds { feed.yield(.hinted(milliseconds: hint)) }
        logger.log(
            level: ending == .notOffered ? .notice : .debug, "no stream to be woken by",
            metadata: ["reason": "\(reason)"])
        return ending
    }
}
