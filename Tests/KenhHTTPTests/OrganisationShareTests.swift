import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

/// What organisations share: one that takes too much is refused, and the others do not notice.
@Suite("What several organisations share", .timeLimit(.minutes(60))) struct OrganisationShareTests {
    private static let ready = ServerSentEvent(type: "ready", data: "")

    private let fixture: OrganisationFixture
    private let mine: Device
    private let theirs: Device

    init() throws {
        fixture = try OrganisationFixture()
        (mine, theirs) = (try fixture["a"].joined(11), try fixture["b"].joined(12))
    }

    private func sync(_ device: Device, _ title: String = "Việc") throws -> Message {
        try device.syncMessage(device.sync([device.seal(title)]))
    }

    private func problem(_ reply: HTTPReply, of name: String, to message: Message) throws -> WireProblem {
        let body = try fixture[name].open(reply.status, reply.body, to: message) { reply[$0] }
        return try WireCoding.decode(WireProblem.self, from: body)
    }

    /// Waits for the server, which is told nothing of it.
    private func wait(until isSo: @escaping @Sendable () -> Bool) async throws {
        try await Blocking.run { while !isSo() { sched_yield() } }
    }

    /// While `share` is used up by one slow request of A's: A is asked to come again, B is served.
    private func expectRefusal(_ share: OrganisationShare, of slow: Message, _ next: Message) async throws {
        let organisations = fixture.organisations(share: share)
        try organisations.reload()
        try await fixture.live(organisations) { live in
            let request = try SlowRequest(slow.under("a"), port: live.port)
            try await wait { organisations.load(of: "a")?.bodyBytes ?? 0 > 0 }
            let refused = try await live.send(next.under("a"))
            #expect(refused.status == 503 && refused.retryAfterSeconds == 5)
            let problem = try problem(refused, of: "a", to: next)
            #expect(problem.code == "unavailable" && problem.recovery == "retry")
            #expect(try await live.send(sync(theirs).under("b")).status == 200)
            let answer = try await Blocking.run { try request.finish() }
            #expect(answer == "HTTP/1.1 200 OK")
            try await wait { organisations.load(of: "a").map { $0.requests + $0.bodyBytes } == 0 }
            #expect(try await live.send(next.under("a")).status == 200)
        }
    }

    @Test("one that has as many requests under way as it may is refused more, signed, and the other is served")
    func requests() async throws {
        var share = OrganisationShare()
        share.requestLimit = 1
        try await expectRefusal(share, of: sync(mine), sync(mine))
    }

    @Test("one whose requests hold as much memory as they may is refused more, signed, and the other is served")
    func memory() async throws {
        let (slow, next) = (try sync(mine, String(repeating: "Việc ", count: 1000)), try sync(mine))
        var share = OrganisationShare()
        share.bodyLimitBytes = max(slow.body?.count ?? 0, next.body?.count ?? 0)
        try await expectRefusal(share, of: slow, next)
    }

    @Test("one that is removed ends without waiting for ever for a request that does not, which is answered yet")
    func slowAtTheEnd() async throws {
        var share = OrganisationShare()
        share.patienceSeconds = 0
        let organisations = fixture.organisations(share: share)
        try organisations.reload()
        try await fixture.live(organisations) { live in
            let request = try SlowRequest(sync(mine).under("a"), port: live.port)
            try await wait { organisations.load(of: "a")?.requests == 1 }
            fixture.names.withLock { $0 = ["b", "c"] }
            try await Blocking.run { try organisations.reload() }
            #expect(organisations.overview.served == ["b", "c"])
            #expect(try await live.send(sync(mine).under("a")).status == 404)
            #expect(try await live.send(sync(theirs).under("b")).status == 200)
            let answer = try await Blocking.run { try request.finish() }
            #expect(answer == "HTTP/1.1 200 OK")
        }
    }

    /// The first stream of A's is open; what another request for a stream gets.
    private func secondStream(
        _ share: OrganisationShare, _ options: CentreServer.Options, of device: Device, at name: String
    ) async throws -> Int {
        let organisations = fixture.organisations(share: share, options: options)
        try organisations.reload()
        return try await fixture.live(organisations, options: options) { live in
            var events = try live.ear(mine.wakeMessage().under("a")).events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            #expect(try await live.send(sync(theirs).under("b")).status == 200)
            let message = try device.wakeMessage()
            let ear = try live.ear(message.under(name))
            var others = ear.events.makeAsyncIterator()
            let isReady = await others.next() == Self.ready
            return isReady ? 200 : ear.reply?.status ?? 0
        }
    }

    @Test("one that has as many streams as it may gets no more, and the other gets its own")
    func streams() async throws {
        var share = OrganisationShare()
        share.streamLimit = 1
        let another = try fixture["a"].joined(13)
        #expect(try await secondStream(share, CentreServer.Options(), of: another, at: "a") == 503)
        #expect(try await secondStream(share, CentreServer.Options(), of: theirs, at: "b") == 200)
    }

    @Test("all streams together take no connection that a request needs")
    func allStreams() async throws {
        var options = CentreServer.Options()
        options.wake.streamLimit = 1
        #expect(try await secondStream(OrganisationShare(), options, of: theirs, at: "b") == 503)
    }

    @Test("a stream of one tells nothing of the other")
    func wake() async throws {
        let organisations = fixture.organisations()
        try organisations.reload()
        try await fixture.live(organisations) { live in
            var (a, b) = (
                try live.ear(mine.wakeMessage().under("a")).events.makeAsyncIterator(),
                try live.ear(theirs.wakeMessage().under("b")).events.makeAsyncIterator()
            )
            #expect(await a.next() == Self.ready)
            #expect(await b.next() == Self.ready)
            for (name, channel) in [("b", "plan/B"), ("a", "plan/A")] {
                let device = name == "a" ? mine : theirs
                let message = try device.syncMessage(device.sync([device.seal("Việc", channel: channel)]))
                #expect(try await live.send(message.under(name)).status == 200)
            }
            #expect(await a.next() == ServerSentEvent(type: "moved", data: "plan/A"))
            #expect(await b.next() == ServerSentEvent(type: "moved", data: "plan/B"))
        }
    }
}
