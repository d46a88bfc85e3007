import Foundation
import Hummingbird
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

/// Several organisations behind one address: what is one's is nobody else's.
@Suite("Several organisations") struct OrganisationTests {
    private let fixture: OrganisationFixture
    private var a: Centre { get throws { try fixture["a"] } }
    private var b: Centre { get throws { try fixture["b"] } }

    init() throws { fixture = try OrganisationFixture() }

    private func send(_ message: Message, to name: String, _ organisations: Organisations) async throws -> TestResponse
    {
        try await fixture.serve(organisations) { try await $0.send(message.under(name)) }
    }

    @Test("each answers under its own name, signed by its own key over the path behind the name")
    func own() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "b"])
        for (name, seed) in [("a", UInt64(11)), ("b", 12)] {
            let centre = try fixture[name]
            let device = try centre.joined(seed)
            let block = try device.seal("of \(name)")
            let message = try device.syncMessage(device.sync([block]))
            let response = try await send(message, to: name, organisations)
            #expect(response.status == .ok)
            let answer = try WireCoding.decode(WireSyncResponse.self, from: centre.open(response, to: message))
            #expect(answer.receipts.map(\.verdict) == [.accepted])
        }
        #expect(try fixture.state(of: "a") != fixture.state(of: "b"))
    }

    /// A request by each route, of a device and of one that would join with a code.
    private func requests(
        of device: Device, newcomer: Device, code: EnrolmentCode
    ) throws -> [(route: String, message: Message)] {
        var reconcile = WireReconcileRequest()
        reconcile.protocol = Limits.protocolVersion
        reconcile.replica = Data(device.replica.bytes)
        let hash = String(repeating: "11", count: 32)
        return [
            ("sync", try device.syncMessage(device.sync([device.seal("not for you")]))),
            ("reconcile", try device.message("/v1/reconcile", try WireCoding.encode(reconcile))),
            ("proof", try device.proofMessage(of: Hash256(1, 1, 1, 1))),
            ("wake", try device.wakeMessage()),
            ("snapshots", try device.get("/v1/snapshots")), ("chunk", try device.get("/v1/snapshots/\(hash)")),
            ("blob", try device.get("/v1/blobs/\(hash)")),
            ("upload", try device.upload(SampleBlob(3))),
            ("enroll", try newcomer.enrolmentMessage(newcomer.enrolment(with: code))),
        ]
    }

    /// Sends them to B, whose answers are no proof of anything to a device of A.
    private func expectRefusal(
        of messages: [(route: String, message: Message)], at organisations: Organisations,
        code: (String) -> String
    ) async throws {
        let before = try fixture.state(of: "b")
        for (route, message) in messages {
            let response = try await send(message, to: "b", organisations)
            let problem = try b.problem(response, to: message)
            #expect(response.status == .forbidden && problem.code == code(route), "\(route) \(problem)")
            #expect(throws: (any Error).self, "\(route)") { try a.open(response, to: message) }
        }
        #expect(try fixture.state(of: "b") == before)
    }

    @Test("whoever belongs to one is nobody to the other, on every route, and nothing is changed there")
    func isolation() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        let device = try a.joined(11)
        _ = try b.joined(12)
        let newcomer = try Device(seed: 77, organisation: a.hub.identity.organisation)
        let messages = try requests(of: device, newcomer: newcomer, code: a.hub.issueCode(cell: "CB1"))
        try await expectRefusal(of: messages, at: organisations) { _ in "wrongOrganisation" }
    }

    @Test("nor does it help to name the other's fingerprint: its registry knows neither device nor code")
    func pretence() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        _ = try a.joined(11)
        _ = try b.joined(12)
        let other = try b.hub.identity.organisation
        let messages = try requests(
            of: Device(seed: 11, organisation: other), newcomer: Device(seed: 77, organisation: other),
            code: a.hub.issueCode(cell: "CB1"))
        try await expectRefusal(of: messages, at: organisations) { $0 == "enroll" ? "codeUnknown" : "unknownDevice" }
    }

    @Test("a hash of one is nothing to the other: not of a block, an attachment or a snapshot")
    func hashes() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        let (mine, theirs) = (try a.joined(11), try b.joined(12))
        let block = try mine.seal("of A")
        let blob = SampleBlob(1000)
        for message in [try mine.syncMessage(mine.sync([block])), try mine.upload(blob)] {
            #expect(try await send(message, to: "a", organisations).status == .ok)
        }
        for centre in [try a, try b] {
            centre.hub.offerSnapshots(from: SnapshotShelf(folder: centre.folder.appending(path: "snapshots")))
        }
        let chunk = try #require(
            try a.hub.makeSnapshot(of: "plan/KH1", upTo: 1, in: a.folder.path).manifest.chunks.first)
        func requests(_ device: Device) throws -> [Message] {
            [
                try device.proofMessage(of: block.hash), try device.get(BlobPath.path(of: blob.hash)),
                try device.get(SnapshotPath.path), try device.get(SnapshotPath.path(of: chunk.hash)),
            ]
        }
        for message in try requests(mine) {
            #expect(try await send(message, to: "a", organisations).status == .ok, "\(message.path)")
        }
        for message in try requests(theirs) {
            let response = try await send(message, to: "b", organisations)
            #expect(try b.problem(response, to: message).code == "notFound", "\(message.path)")
            #expect(response.status == .notFound, "\(message.path)")
        }
    }

    @Test("a block that was written for one is refused by the other, whoever brings it")
    func blocks() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        let (a, b) = (try a, try b)
        let (mine, theirs) = (try a.joined(11), try b.joined(12))
        let message = try theirs.syncMessage(theirs.sync([mine.seal("of A")]))
        let response = try await send(message, to: "b", organisations)
        let answer = try WireCoding.decode(WireSyncResponse.self, from: b.open(response, to: message))
        #expect(answer.receipts.map(\.verdict) == [.invalid] && answer.receipts[0].code == "wrongOrganisation")
    }

    @Test("what is nobody's name is not found, and does not say who is there")
    func unknown() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        let device = try a.joined(11)
        let message = try device.syncMessage(device.sync())
        for path in ["/c/v1/sync", "/v1/sync", "/", "/a", "/A/v1/sync", "/%61/v1/sync", "//a/v1/sync", "/a?x/v1/sync"] {
            var sent = message
            sent.path = path
            let response = try await fixture.serve(organisations) { [sent] in try await $0.send(sent) }
            #expect(response.status == .notFound, "\(path)")
            #expect(!String(decoding: response.body.readableBytesView, as: UTF8.self).contains("Đảng bộ"), "\(path)")
        }
        #expect(try await readiness(organisations) == "200 served 2\nfailed 0\n")
        for route in ["/a/healthz", "/b/readyz"] {
            let response = try await fixture.serve(organisations) {
                try await $0.client.execute(uri: route, method: .get)
            }
            #expect(response.status == .ok, "\(route)")
        }
        let healthy = try await fixture.serve(organisations) {
            try await $0.client.execute(uri: "/healthz", method: .get)
        }
        #expect(healthy.status == .ok)
        for (name, isGood) in [
            ("cdt-2", true), ("", false), ("v1", false), ("healthz", false), ("readyz", false), ("metrics", false),
            ("-a", false), ("A", false),
            ("a.b", false), (String(repeating: "a", count: 64), false),
        ] {
            #expect(Organisations.isName(name) == isGood, "\(name)")
        }
    }

    private func readiness(_ organisations: Organisations) async throws -> String {
        let response = try await fixture.serve(organisations) {
            try await $0.client.execute(uri: "/readyz", method: .get)
        }
        return "\(response.status.code) \(String(buffer: response.body))"
    }

    @Test("a process that can serve none of its organisations is not ready")
    func none() async throws {
        fixture.broken.withLock { $0 = ["a": "damaged", "b": "damaged"] }
        let organisations = fixture.organisations()
        try organisations.reload()
        #expect(try await readiness(organisations) == "503 served 0\nfailed 2\n")
        fixture.names.withLock { $0 = [] }
        try organisations.reload()
        #expect(try await readiness(organisations) == "200 served 0\nfailed 0\n")
    }

    @Test("one whose files were exchanged for others is begun anew, and ended where they are gone")
    func exchanged() throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        try organisations.reload()
        #expect(fixture.opened.withLock { $0 } == ["a", "b"])
        fixture.places.withLock { $0["a"] = "restored from a backup" }
        try organisations.reload()
        #expect(fixture.opened.withLock { $0 } == ["a", "b", "a"])
        fixture.places.withLock { $0["b"] = "" }
        try organisations.reload()
        #expect(organisations.overview.served == ["a"])
        #expect(organisations.overview.failed == ["b": "it has no files"])
    }

    @Test("one that cannot be served holds nobody up, and is tried again")
    func failing() async throws {
        fixture.broken.withLock { $0["a"] = "its log is damaged" }
        let organisations = fixture.organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["b"] && organisations.overview.failed == ["a": "its log is damaged"])
        let (a, b) = (try a, try b)
        let (mine, theirs) = (try a.joined(11), try b.joined(12))
        func status(_ device: Device, _ name: String) async throws -> HTTPResponse.Status {
            let message = try device.syncMessage(device.sync())
            return try await send(message, to: name, organisations).status
        }
        #expect(try await status(mine, "a") == .serviceUnavailable)
        #expect(try await readiness(organisations) == "200 served 1\nfailed 1\n")
        #expect(try await status(theirs, "b") == .ok)
        fixture.broken.withLock { $0 = [:] }
        try organisations.reload()
        #expect(try await status(mine, "a") == .ok)
        fixture.names.withLock { $0 = ["a", "c"] }
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "c"])
        #expect(try await status(theirs, "b") == .notFound)
        #expect(try await status(mine, "a") == .ok)
    }

    @Test("two homes of one organisation are not both served: neither of new ones, and not a copy of one that is")
    func copies() throws {
        fixture.names.withLock { $0 = ["a", "copy-of-a", "b"] }
        let organisations = fixture.organisations()
        try organisations.reload()
        #expect(organisations.overview.served == ["b"])
        #expect(organisations.overview.failed["a"]?.contains("copy-of-a") == true)
        fixture.names.withLock { $0 = ["a", "b"] }
        try organisations.reload()
        fixture.names.withLock { $0 = ["a", "copy-of-a", "b"] }
        try organisations.reload()
        #expect(organisations.overview.served == ["a", "b"])
        #expect(organisations.overview.failed["copy-of-a"]?.contains("as a;") == true)
    }

    @Test("a reload that cannot read the names leaves all as it was")
    func unreadable() throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        fixture.isFolderReadable.withLock { $0 = false }
        #expect(throws: OrganisationFixture.Broken.self) { try organisations.reload() }
        #expect(organisations.overview.served == ["a", "b"])
    }
}
