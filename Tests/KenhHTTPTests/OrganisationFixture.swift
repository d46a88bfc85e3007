import Foundation
import Hummingbird
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

/// Centres of several organisations, and what their folder looks like to the process that serves them.
final class OrganisationFixture: Sendable {
    struct Broken: Error, CustomStringConvertible { let description: String }

    let names = Mutex(["a", "b"])
    /// Why a home cannot be opened.
    let broken = Mutex<[String: String]>([:])
    /// Which files a name means; empty for none.
    let places = Mutex<[String: String]>([:])
    /// Names in the order in which they were opened.
    let opened = Mutex<[String]>([])
    let isFolderReadable = Mutex(true)
    private let centres: [String: Centre]

    init() throws {
        centres = ["a": try Centre(seed: 1), "b": try Centre(seed: 2), "c": try Centre(seed: 3)]
    }

    subscript(name: String) -> Centre {
        get throws { try #require(centres[name.replacing("copy-of-", with: "")]) }
    }

    /// What outsiders could have changed. Each head's hash covers every byte of its channel's entries; the file has other
    /// bytes, too, which the centre's own view writes when it likes.
    func state(of name: String) throws -> [String] {
        let centre = try self[name]
        let files = try? FileManager.default.subpathsOfDirectory(atPath: centre.folder.appending(path: "blobs").path)
        return try centre.log.read { transaction in
            try ["\(transaction.size)"]
                + transaction.heads().map { "\($0.channel) \($0.sequence) \($0.entryHash)" }
                + transaction.devices().map { $0.key.bytes.hex } + (files ?? []).sorted()
        }
    }

    private var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func parts(_ name: String) throws -> CentreParts {
        if let reason = broken.withLock({ $0[name] }) { throw Broken(description: reason) }
        let centre = try self[name]
        opened.withLock { $0.append(name) }
        var random = SeededGenerator(seed: 99)
        let identity = StoreIdentity(
            organisation: centre.hub.identity.organisation, replica: .random(using: &random),
            key: try SigningKey(using: &random))
        let store = try Store(
            path: centre.folder.appending(path: "\(UUID().uuidString).db").path, schema: SimulatedSchema.first)
        return CentreParts(
            hub: centre.hub, view: try CentreView(store: store, hub: centre.hub, identity: identity),
            blobs: centre.blobs)
    }

    func organisations(
        share: OrganisationShare = OrganisationShare(), options: CentreServer.Options = CentreServer.Options()
    ) -> Organisations {
        Organisations(
            OrganisationSource(
                names: { [self] in
                    guard isFolderReadable.withLock({ $0 }) else { throw Broken(description: "no folder") }
                    return names.withLock { $0 }
                },
                fingerprint: { [self] in try self[$0].hub.identity.organisationText },
                open: { [self] in try parts($0) },
                place: { [self] name in
                    let place = places.withLock { $0[name] } ?? name
                    guard !place.isEmpty else { throw Broken(description: "it has no files") }
                    return place
                }),
            options: options, share: share, logger: logger)
    }

    /// Runs requests one after another, without a socket.
    func serve<T>(
        _ organisations: Organisations, _ body: @Sendable (Centre.Client) async throws -> T
    ) async throws -> T {
        try await Application(responder: organisations, logger: logger).test(.router) {
            try await body(Centre.Client(client: $0))
        }
    }

    /// Serves on a free port of the loopback while `body` runs, then stops as by a signal.
    func live<T: Sendable>(
        _ organisations: Organisations, options: CentreServer.Options = CentreServer.Options(),
        _ body: @Sendable (LiveCentre) async throws -> T
    ) async throws -> T {
        var options = options
        options.port = 0
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        let server = OrganisationsServer(organisations, options: options, logger: logger) { feed.yield($0) }
        let services = ServiceGroup(configuration: .init(services: [server], logger: logger))
        async let serving: Void = services.run()
        let port = await ports.first { _ in true } ?? 0
        let result: Result<T, any Error>
        do {
            result = .success(
                try await body(LiveCentre(port: port) { await services.triggerGracefulShutdown() }))
        } catch { result = .failure(error) }
        await services.triggerGracefulShutdown()
        try await serving
        return try result.get()
    }
}

extension Message {
    /// As it is sent to one of several organisations: the name before the path is not signed.
    func under(_ name: String) -> Message {
        var message = self
        message.path = "/\(name)\(path)"
        return message
    }
}

extension Device {
    func get(_ path: String, query: String = "?channel=plan%2FKH1") throws -> Message {
        var message = try message(path, [], contentType: "", method: "GET", query: query)
        message.body = nil
        return message
    }

    func proofMessage(of object: Hash256) throws -> Message {
        var request = WireProofRequest()
        request.protocol = Limits.protocolVersion
        request.objectHash = Data(object.bytes)
        return try message("/v1/proof", try WireCoding.encode(request))
    }

    /// All of a small attachment.
    func upload(_ blob: SampleBlob) throws -> Message {
        try message(
            BlobPath.path(of: blob.hash), blob.bytes, contentType: "application/octet-stream", method: "PUT",
            query: "?channel=plan%2FKH1&size=\(blob.size)&type=image%2Fpng&offset=0")
    }
}
