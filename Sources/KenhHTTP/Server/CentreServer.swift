import Foundation
import Hummingbird
import KenhHub
import Logging
import ServiceLifecycle

/// Serves the sync API, and keeps the centre's own view in step with the log.
public struct CentreServer: Service {
    public struct Options: Sendable {
        public var host = "127.0.0.1"
        /// 0 takes a free port.
        public var port = 7370
        /// Nil for plain HTTP, behind a proxy that speaks HTTPS or within a network that is trusted.
        public var tls: TLSFiles?
        /// Beside those on which a device only listens.
        public var connectionLimit = 4096
        public var idleTimeoutSeconds: Int64 = 60
        /// The centre's own edits by other tools are looked for this often.
        public var viewIntervalSeconds = 2.0
        public var wake = WakeOptions()
        /// Nil of a centre that does nothing by itself.
        public var upkeep: UpkeepOptions?

        public init() {}
    }

    private let hub: Hub
    private let view: CentreView
    private let blobs: HubBlobs?
    private let options: Options
    private let logger: Logger
    private let onServing: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - blobs: nil of a centre that takes no attachments.
    ///   - onServing: told the port once connections are taken.
    public init(
        hub: Hub, view: CentreView, blobs: HubBlobs? = nil, options: Options, logger: Logger,
        onServing: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.hub = hub
        self.view = view
        self.blobs = blobs
        self.options = options
        self.logger = logger
        self.onServing = onServing
    }

    /// - Throws: ``ServerError`` where the address cannot be listened on, or the certificate does not fit.
    public func run() async throws {
        let parts = CentreParts(hub: hub, view: view, blobs: blobs, upkeep: options.upkeep)
        let centre = ServedCentre(
            parts, wake: options.wake, viewIntervalSeconds: options.viewIntervalSeconds, logger: logger)
        centre.start()
        defer { centre.stop() }
        let now = Date(timeIntervalSince1970: Double(hub.now()) / 1000)
        try await HTTPFront(options: options, logger: logger, now: now, onServing: onServing)
            .run(CallbackResponder { try await centre.respond(to: $0, context: $1) }) { centre.closeStreams() }
    }
}

/// Serves several organisations.
public struct OrganisationsServer: Service {
    private let organisations: Organisations
    private let options: CentreServer.Options
    private let logger: Logger
    private let onServing: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - organisations: loaded already.
    ///   - onServing: told the port once connections are taken.
    public init(
        _ organisations: Organisations, options: CentreServer.Options, logger: Logger,
        onServing: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        (self.organisations, self.options, self.logger, self.onServing) = (organisations, options, logger, onServing)
    }

    /// - Throws: as ``CentreServer/run()``.
    public func run() async throws {
        let organisations = organisations
        defer { organisations.stop() }
        try await HTTPFront(options: options, logger: logger, now: Date(), onServing: onServing)
            .run(organisations) { organisations.closeStreams() }
    }
}
