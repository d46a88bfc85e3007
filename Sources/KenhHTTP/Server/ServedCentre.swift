import Hummingbird
import KenhHub
import Logging

/// One organisation's centre while it is served: its routes, and the threads that go with them.
final class ServedCentre: Sendable {
    let hub: Hub
    private let api: SyncAPI
    private let responder: RouterResponder<BasicRequestContext>
    private let streams: WakeStreams
    private let tenancy: Tenancy
    private let follower: ViewFollower
    private let upkeep: Upkeep?

    init(
        _ parts: CentreParts, wake: WakeOptions, viewIntervalSeconds: Double, tenancy: Tenancy = Tenancy(),
        logger: Logger
    ) {
        hub = parts.hub
        let streams = WakeStreams(hub: parts.hub, options: wake, tenancy: tenancy, logger: logger)
        let follower = ViewFollower(view: parts.view, intervalSeconds: viewIntervalSeconds, logger: logger) {
            streams.wake()
        }
        upkeep = parts.upkeep.map { Upkeep(hub: parts.hub, view: parts.view, options: $0, logger: logger) }
        api = SyncAPI(
            hub: parts.hub, streams: streams, blobs: parts.blobs, tenancy: tenancy, logger: logger
        ) { follower.wake() }
        responder = api.router().buildResponder()
        (self.streams, self.follower, self.tenancy) = (streams, follower, tenancy)
    }

    func start() {
        follower.start()
        upkeep?.start()
    }

    var streamCount: Int { streams.count }
    var bodyBytes: Int { tenancy.memory.held }

    /// Ends streams, so that nobody need wait for them.
    func closeStreams() { streams.close() }

    /// Returns when its threads have ended, so that its files can be closed.
    func stop() {
        upkeep?.stop()
        follower.stop()
    }

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        try await responder.respond(to: request, context: context)
    }

    func refuse(_ request: Request, _ error: any Error) throws -> Response { try api.refusal(of: request, error) }
}

/// What it takes to serve one organisation.
public struct CentreParts: Sendable {
    public let hub: Hub
    public let view: CentreView
    /// Nil of a centre that takes no attachments.
    public let blobs: HubBlobs?
    /// Nil of a centre that does nothing by itself.
    public let upkeep: UpkeepOptions?
    /// Kept as long as it is served.
    private let lock: (any Sendable)?

    public init(
        hub: Hub, view: CentreView, blobs: HubBlobs? = nil, upkeep: UpkeepOptions? = nil, lock: (any Sendable)? = nil
    ) {
        (self.hub, self.view, self.blobs, self.upkeep, self.lock) = (hub, view, blobs, upkeep, lock)
    }
}
