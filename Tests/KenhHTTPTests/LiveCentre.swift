import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Logging
import ServiceLifecycle
import Synchronization

/// A centre that serves on a free port of the loopback.
struct LiveCentre: Sendable {
    let port: Int
    /// Tells the server to stop, as a signal would.
    let stop: @Sendable () async -> Void

    /// Sends one request over a connection of its own.
    func send(_ message: Message) async throws -> HTTPReply {
        let transport = try transport()
        return try await Blocking.run { try transport.send(message.call) }
    }

    func transport(_ cancellation: Cancellation = Cancellation()) throws -> CurlTransport {
        try CurlTransport(
            CurlOptions(baseURL: "http://127.0.0.1:\(port)", proxy: ""), cancellation: cancellation)
    }

    func ear(_ message: Message) throws -> Ear { try Ear(message, at: self) }
}

extension Message {
    var call: HTTPCall {
        HTTPCall(method: method, path: path, headers: headers, body: body ?? [], bodyLimitBytes: 1 << 20)
    }
}

extension Centre {
    /// Serves while `body` runs, then stops as by a signal, and returns when the server has ended.
    func live<T: Sendable>(
        _ wake: WakeOptions = WakeOptions(), upkeep: UpkeepOptions? = nil,
        _ body: @Sendable (LiveCentre) async throws -> T
    ) async throws -> T {
        var random = SeededGenerator(seed: 99)
        let identity = StoreIdentity(
            organisation: hub.identity.organisation, replica: .random(using: &random),
            key: try SigningKey(using: &random))
        let store = try Store(path: folder.appending(path: "centre.db").path, schema: SimulatedSchema.first)
        var options = CentreServer.Options()
        options.port = 0
        options.viewIntervalSeconds = 0.01
        options.wake = wake
        options.upkeep = upkeep
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        let server = CentreServer(
            hub: hub, view: try CentreView(store: store, hub: hub, identity: identity), options: options, logger: logger
        ) { feed.yield($0) }
        let services = ServiceGroup(configuration: .init(services: [server], logger: logger))
        async let serving: Void = services.run()
        let result: Result<T, any Error>
        let port = await ports.first { _ in true } ?? 0
        do {
            result = .success(
                try await body(LiveCentre(port: port) { await services.triggerGracefulShutdown() }))
        } catch { result = .failure(error) }
        await services.triggerGracefulShutdown()
        try await serving
        return try result.get()
    }
}

/// One stream, read on a thread of its own until it ends, with the server at the latest.
final class Ear: Sendable {
    /// Ends with the stream.
    let events: AsyncStream<ServerSentEvent>
    private let cancellation = Cancellation()
    private let end = Mutex<HTTPReply?>(nil)

    init(_ message: Message, at centre: LiveCentre) throws {
        let transport = try centre.transport(cancellation)
        let (events, feed) = AsyncStream.makeStream(of: ServerSentEvent.self)
        self.events = events
        Thread.detachNewThread { [self] in
            var parser = EventStreamParser()
            let reply = try? transport.stream(message.call, stallMilliseconds: 60_000) { bytes in
                for event in parser.take(bytes) { feed.yield(event) }
                return true
            }
            self.end.withLock { $0 = reply }
            feed.finish()
        }
    }

    func stop() { cancellation.cancel() }

    /// The answer without the stream, once that has ended in good order.
    var reply: HTTPReply? { end.withLock { $0 } }
}
