import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import ServiceLifecycle

/// Connections of one address, whoever answers on them.
struct HTTPFront {
    let options: CentreServer.Options
    let logger: Logger
    /// By which the certificate's dates are judged.
    let now: Date
    let onServing: @Sendable (Int) async -> Void

    /// Until the process is told to stop.
    ///
    /// - Parameter closeStreams: called then: the server waits for answers under way, and streams are such for ever.
    /// - Throws: ``ServerError`` where the address cannot be listened on, or the certificate does not fit.
    func run(
        _ responder: some HTTPResponder<BasicRequestContext>, closeStreams: @escaping @Sendable () -> Void
    ) async throws {
        let http = HTTPServerBuilder.http1(configuration: .init(idleTimeout: .seconds(options.idleTimeoutSeconds)))
        let server = try options.tls.map { files in
            try HTTPServerBuilder.tls(http, tlsConfiguration: files.configuration(now: now))
        }
        let application = Application(
            responder: responder,
            server: server ?? http,
            configuration: .init(
                address: .hostname(options.host, port: options.port), serverName: "kenh",
                availableConnectionsDelegate: .maximum(
                    options.connectionLimit + options.wake.streamLimit, logger: logger)),
            onServerRunning: { channel in await onServing(channel.localAddress?.port ?? options.port) },
            logger: logger)
        do {
            try await withGracefulShutdownHandler {
                try await application.run()
            } onGracefulShutdown: {
                closeStreams()
            }
        } catch { throw ServerError(error, host: options.host, port: options.port) }
    }
}
