import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import KenhHub
import Logging
import NIOCore
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
        let http = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(options.idleTimeoutSeconds)))
        let server = try options.tls.map { files in
            let now = Date(timeIntervalSince1970: Double(hub.now()) / 1000)
            return try HTTPServerBuilder.tls(http, tlsConfiguration: files.configuration(now: now))
        }
        let streams = WakeStreams(hub: hub, options: options.wake, logger: logger)
        let follower = ViewFollower(
            view: view, intervalSeconds: options.viewIntervalSeconds, logger: logger
        ) { streams.wake() }
        follower.start()
        defer { follower.stop() }
        let upkeep = options.upkeep.map { Upkeep(hub: hub, view: view, options: $0, logger: logger) }
        upkeep?.start()
        defer { upkeep?.stop() }
        let api = SyncAPI(hub: hub, streams: streams, blobs: blobs, logger: logger) { follower.wake() }
        let application = Application(
            router: api.router(),
            server: server ?? http,
            configuration: .init(
                address: .hostname(options.host, port: options.port), serverName: "kenh",
                availableConnectionsDelegate: .maximum(
                    options.connectionLimit + options.wake.streamLimit, logger: logger)),
            onServerRunning: { channel in await onServing(channel.localAddress?.port ?? options.port) },
            logger: logger)
        do {
            // The server waits for answers under way, and streams are such for ever.
            try await withGracefulShutdownHandler {
                try await application.run()
            } onGracefulShutdown: {
                streams.close()
            }
        } catch { throw ServerError(error, host: options.host, port: options.port) }
    }
}
