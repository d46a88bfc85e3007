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
import Synchronization
import Testing

/// Several organisations behind one address: what is one's is nobody else's.
@Suite("Several organisations") final class OrganisationTests: Sendable {
    private let centres: [String: Centre]
    private let names = Mutex(["a", "b"])
    private let broken = Mutex<[String: String]>([:])
    private var a: Centre { get throws { try #require(centres["a"]) } }
    private var b: Centre { get throws { try #require(centres["b"]) } }

    init() throws {
        centres = ["a": try Centre(seed: 1), "b": try Centre(seed: 2), "c": try Centre(seed: 3)]
    }

    private struct Broken: Error, CustomStringConvertible { let description: String }

    private func parts(_ name: String) throws -> CentreParts {
        if let reason = broken.withLock({ $0[name] }) { throw Broken(description: reason) }
        let centre = try #require(centres[name.replacing("copy-of-", with: "")])
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

    private func organisations() -> Organisations {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return Organisations(
            OrganisationSource(
                names: { [self] in names.withLock { $0 } },
                fingerprint: { [self] name in
                    centres[name.replacing("copy-of-", with: "")]?.hub.identity.organisationText ?? ""
                },
                open: { [self] in try parts($0) }),
            options: CentreServer.Options(), logger: logger)
    }

    private func serve<T>(
        _ organisations: Organisations, _ body: @Sendable (Centre.Client) async throws -> T
    ) async throws -> T {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try await Application(responder: organisations, logger: logger).test(.router) {
            try await body(Centre.Client(client: $0))
        }
    }

    private func send(
        _ message: Message, to name: String, _ client: Centre.Client
    ) async throws -> TestResponse {
        var sent = message
        sent.path = "/\(name)\(message.path)"
        return try await client.send(sent)
    }

    private func state(_ centre: Centre) throws -> [String] {
        try centre.log.read { transaction in
            try transaction.heads().map { "\($0.channel) \($0.sequence) \($0.entryHash)" }
                + transaction.devices().map { $0.key.bytes.hex }
        }
    }

    @Test("each answers under its own name, signed by its own key over the path behind the name")
    func own() async throws {
        let organisations = organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "b"])
        for (name, seed) in [("a", UInt64(11)), ("b", 12)] {
            let centre = try #require(centres[name])
            let device = try centre.joined(seed)
            let block = try device.seal("of \(name)")
            let message = try device.syncMessage(device.sync([block]))
            let response = try await serve(organisations) { try await send(message, to: name, $0) }
            #expect(response.status == .ok)
            let answer = try WireCoding.decode(WireSyncResponse.self, from: centre.open(response, to: message))
            #expect(answer.receipts.map(\.verdict) == [.accepted])
        }
        #expect(try state(a) != state(b))
    }

    /// A request of a device of one organisation by its route.
    private func requests(of device: Device, _ centre: Centre) throws -> [(route: String, message: Message)] {
        var reconcile = WireReconcileRequest()
        reconcile.protocol = Limits.protocolVersion
        reconcile.replica = Data(device.replica.bytes)
        var proof = WireProofRequest()
        proof.objectHash = Data(repeating: 1, count: 32)
        let hash = String(repeating: "11", count: 32)
        let code = try centre.hub.issueCode(cell: "CB1")
        func get(_ path: String) throws -> Message {
            var message = try device.message(
                path, [], contentType: "", method: "GET", query: "?channel=plan%2FKH1")
            message.body = nil
            return message
        }
        let newcomer = try Device(seed: 77, organisation: centre.hub.identity.organisation)
        return [
            ("sync", try device.syncMessage(device.sync([device.seal("not for you")]))),
            ("reconcile", try device.message("/v1/reconcile", try WireCoding.encode(reconcile))),
            ("proof", try device.message("/v1/proof", try WireCoding.encode(proof))),
            ("wake", try device.wakeMessage()),
            ("snapshots", try get("/v1/snapshots")), ("chunk", try get("/v1/snapshots/\(hash)")),
            ("blob", try get("/v1/blobs/\(hash)")),
            (
                "upload",
                try device.message(
                    "/v1/blobs/\(hash)", [1, 2, 3], contentType: "application/octet-stream", method: "PUT",
                    query: "?channel=plan%2FKH1&size=3&type=image%2Fpng&offset=0")
            ),
            ("enroll", try newcomer.enrolmentMessage(newcomer.enrolment(with: code))),
        ]
    }

    @Test("whoever belongs to one is nobody to the other, on every route, and nothing is changed there")
    func isolation() async throws {
        let organisations = organisations()
        try organisations.reload()
        let (a, b) = (try a, try b)
        let device = try a.joined(11)
        _ = try b.joined(12)
        let before = try state(b)
        for (route, message) in try requests(of: device, a) {
            let response = try await serve(organisations) { try await send(message, to: "b", $0) }
            #expect(response.status == .forbidden, "\(route)")
            // The answer is B's, and so no proof of anything to a device of A.
            let problem = try b.problem(response, to: message)
            #expect(
                ["unknownDevice", "wrongOrganisation", "codeUnknown"].contains(problem.code), "\(route) \(problem)")
            #expect(throws: (any Error).self, "\(route)") { try a.open(response, to: message) }
        }
        #expect(try state(b) == before)
    }

    @Test("a block that was written for one is refused by the other, whoever brings it")
    func blocks() async throws {
        let organisations = organisations()
        try organisations.reload()
        let (a, b) = (try a, try b)
        let (mine, theirs) = (try a.joined(11), try b.joined(12))
        let message = try theirs.syncMessage(theirs.sync([mine.seal("of A")]))
        let response = try await serve(organisations) { try await send(message, to: "b", $0) }
        let answer = try WireCoding.decode(WireSyncResponse.self, from: b.open(response, to: message))
        #expect(answer.receipts.map(\.verdict) == [.invalid] && answer.receipts[0].code == "wrongOrganisation")
    }

    @Test("what is nobody's name is not found, and does not say who is there")
    func unknown() async throws {
        let organisations = organisations()
        try organisations.reload()
        let device = try a.joined(11)
        let message = try device.syncMessage(device.sync())
        for path in ["/c/v1/sync", "/v1/sync", "/", "/a", "/A/v1/sync", "/%61/v1/sync", "//a/v1/sync", "/a?x/v1/sync"] {
            var sent = message
            sent.path = path
            let response = try await serve(organisations) { [sent] in try await $0.send(sent) }
            #expect(response.status == .notFound, "\(path)")
            #expect(!String(decoding: response.body.readableBytesView, as: UTF8.self).contains("Đảng bộ"), "\(path)")
        }
        let healthy = try await serve(organisations) { try await $0.client.execute(uri: "/healthz", method: .get) }
        #expect(healthy.status == .ok)
        for (name, isGood) in [
            ("cdt-2", true), ("", false), ("v1", false), ("healthz", false), ("-a", false), ("A", false),
            ("a.b", false), (String(repeating: "a", count: 64), false),
        ] {
            #expect(Organisations.isName(name) == isGood, "\(name)")
        }
    }

    @Test("one that cannot be served holds nobody up, and is tried again")
    func failing() async throws {
        broken.withLock { $0["a"] = "its log is damaged" }
        let organisations = organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["b"] && organisations.overview.failed == ["a": "its log is damaged"])
        let (a, b) = (try a, try b)
        let (mine, theirs) = (try a.joined(11), try b.joined(12))
        func status(_ device: Device, _ name: String) async throws -> HTTPResponse.Status {
            let message = try device.syncMessage(device.sync())
            return try await serve(organisations) { try await send(message, to: name, $0) }.status
        }
        #expect(try await status(mine, "a") == .serviceUnavailable)
        #expect(try await status(theirs, "b") == .ok)
        broken.withLock { $0 = [:] }
        try organisations.reload()
        #expect(try await status(mine, "a") == .ok)
        names.withLock { $0 = ["a", "c"] }
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "c"])
        #expect(try await status(theirs, "b") == .notFound)
        #expect(try await status(mine, "a") == .ok)
    }

    @Test("two homes of one organisation are not both served: neither of new ones, and not a copy of one that is")
    func copies() throws {
        names.withLock { $0 = ["a", "copy-of-a", "b"] }
        let organisations = organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["b"])
        #expect(organisations.overview.failed["a"]?.contains("copy-of-a") == true)
        names.withLock { $0 = ["a", "b"] }
        try organisations.reload()
        names.withLock { $0 = ["a", "copy-of-a", "b"] }
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "b"])
        #expect(organisations.overview.failed["copy-of-a"]?.contains("as a;") == true)
    }

    @Test("a reload that cannot read the names leaves all as it was")
    func unreadable() throws {
        let isBroken = Mutex(false)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let organisations = Organisations(
            OrganisationSource(
                names: {
                    if isBroken.withLock({ $0 }) { throw Broken(description: "no folder") }
                    return ["a"]
                }, fingerprint: { _ in "" }, open: { [self] in try parts($0) }),
            options: CentreServer.Options(), logger: logger)
        try organisations.reload()
        isBroken.withLock { $0 = true }
        #expect(throws: Broken.self) { try organisations.reload() }
        #expect(organisations.overview.served == ["a"])
    }
}
