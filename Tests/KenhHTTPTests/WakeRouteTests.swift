import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KenhCell
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Logging
import NIOCore
import Testing

@Suite("GET /v1/wake", .timeLimit(.minutes(60)))
struct WakeRouteTests {
    private static let ready = ServerSentEvent(type: "ready", data: "")
    private static let registry = moved(ChannelName.registry)

    private let centre: Centre
    private let device: Device
    private let writer: Device

    init() throws {
        centre = try Centre()
        device = try centre.joined(5)
        writer = try centre.joined(6)
    }

    private static func moved(_ channel: String) -> ServerSentEvent { ServerSentEvent(type: "moved", data: channel) }

    @Test("opens an event stream that says at once that it is ready, and what moves from then on")
    func stream() async throws {
        try await centre.live { live in
            let ear = try live.ear(try device.wakeMessage())
            var events = ear.events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            for title in ["Một", "Hai", "Ba"] {
                let message = try writer.syncMessage(writer.sync([try writer.seal(title)]))
                #expect(try await live.send(message).status == 200)
                #expect(await events.next() == Self.moved("plan/KH1"))
            }
            await live.stop()
            while await events.next() != nil {}
            let reply = try #require(ear.reply, "the stream ends in good order when the centre stops")
            #expect(reply.status == 200 && reply["content-type"] == "text/event-stream")
            #expect(reply["cache-control"] == "no-store" && reply["x-accel-buffering"] == "no")
            #expect(reply["signature"] == nil, "it is a hint and no more")
        }
    }

    @Test("tells, too, what another process appends to the log")
    func otherProcess() async throws {
        try await centre.live { live in
            let ear = try live.ear(try device.wakeMessage())
            var events = ear.events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            let log = try SQLiteLog(
                path: centre.folder.appending(path: "log.db").path, newEpoch: [UInt8](repeating: 8, count: 16))
            let other = Hub(log: log, identity: centre.hub.identity, clock: { Centre.start })
            try other.addCell(code: "CB2", name: "Chi bộ 2")
            #expect(await events.next() == Self.registry)
        }
    }

    @Test("names no channel that the cell may not read")
    func rights() async throws {
        try centre.hub.addCell(code: "CB2", name: "Chi bộ 2")
        let reader = try Device(seed: 7, organisation: centre.hub.identity.organisation)
        _ = try centre.hub.enroll(reader.enrolment(with: centre.hub.issueCode(cell: "CB2")))
        try centre.hub.grant("none", to: "CB2", in: "secret/*")
        try await centre.live { live in
            let ear = try live.ear(try reader.wakeMessage())
            var events = ear.events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            _ = try centre.hub.sync(
                writer.sync([try writer.seal("Một", channel: "secret/1")]), from: registered(writer))
            let other = try centre.joined(8)
            _ = try centre.hub.sync(other.sync([try other.seal("Hai", channel: "plan/KH1")]), from: registered(other))
            var told: [String] = []
            while told.last != "plan/KH1", let event = await events.next() { told.append(event.data) }
            #expect(!told.contains("secret/1") && told.last == "plan/KH1")
        }
    }

    private func registered(_ device: Device) -> RegisteredDevice {
        RegisteredDevice(key: device.key.publicKey, cell: "CB1", name: "laptop")
    }

    @Test("keeps itself alive with comments, through which moves are heard all the same")
    func keepAlive() async throws {
        var options = WakeOptions()
        options.keepAliveSeconds = 0.001
        try await centre.live(options) { live in
            let bytes = try await comments(100, at: live)
            #expect(bytes.starts(with: "retry: 3000\n\nevent: ready\ndata:\n\n:\n\n".utf8))
        }
    }

    /// What a stream says until so many comments have come.
    private func comments(_ count: Int, at live: LiveCentre) async throws -> [UInt8] {
        let transport = try live.transport()
        let call = try device.wakeMessage().call
        return try await Blocking.run {
            var bytes: [UInt8] = []
            _ = try transport.stream(call, stallMilliseconds: 60_000) { piece in
                bytes += piece
                return bytes.lazy.filter { $0 == UInt8(ascii: ":") }.count < count
            }
            return bytes
        }
    }

    @Test("is one for each device: a newer one ends the older")
    func replaced() async throws {
        try await centre.live { live in
            let older = try live.ear(try device.wakeMessage())
            var first = older.events.makeAsyncIterator()
            #expect(await first.next() == Self.ready)
            let newer = try live.ear(try device.wakeMessage())
            var second = newer.events.makeAsyncIterator()
            #expect(await second.next() == Self.ready)
            #expect(await first.next() == nil)
            try centre.hub.addCell(code: "CB3", name: "Chi bộ 3")
            #expect(await second.next() == Self.registry)
        }
    }

    @Test("is refused beyond the limit with a signed 503 and the time to wait, until somebody leaves")
    func limit() async throws {
        var options = WakeOptions()
        options.streamLimit = 1
        try await centre.live(options) { live in
            let ear = try live.ear(try device.wakeMessage())
            var events = ear.events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            let message = try writer.wakeMessage()
            let reply = try await live.send(message)
            #expect(reply.status == 503 && reply.retryAfterSeconds == 60)
            let problem = try open(reply, to: message)
            #expect(problem.code == "unavailable" && problem.recovery == "retry")
            ear.stop()
            var isIn = false
            while !isIn {
                var second = try live.ear(try writer.wakeMessage()).events.makeAsyncIterator()
                isIn = await second.next() == Self.ready
            }
        }
    }

    private func open(_ reply: HTTPReply, to message: Message) throws -> WireProblem {
        let body = try centre.open(reply.status, reply.body, to: message) { reply[$0] }
        return try WireCoding.decode(WireProblem.self, from: body)
    }

    @Test("ends for a device that is revoked, which gets no other")
    func revoked() async throws {
        try await centre.live { live in
            let ear = try live.ear(try device.wakeMessage())
            var events = ear.events.makeAsyncIterator()
            #expect(await events.next() == Self.ready)
            try centre.hub.revoke(device.key.publicKey, reason: "stolen")
            #expect(await events.next() == nil)
            let message = try device.wakeMessage()
            let reply = try await live.send(message)
            #expect(reply.status == 403)
            #expect(try open(reply, to: message).code == "revoked")
        }
    }

    @Test("holds up no stop of the centre, though its reader takes nothing any more")
    func stuck() async throws {
        var options = WakeOptions()
        options.endSeconds = 0.01
        let streams = WakeStreams(hub: centre.hub, options: options, logger: Logger(label: "test"))
        let board = WakeBoard(hub: centre.hub)
        let listener = try board.listen(for: registered(device))
        let (writes, wrote) = AsyncStream.makeStream(of: Void.self)
        let serving = Task { try await streams.serve(listener, to: StuckWriter(wrote: wrote)) }
        _ = await writes.first { _ in true }
        board.close()
        await #expect(throws: CancellationError.self) { try await serving.value }
    }

    /// To a peer that reads nothing: what is written to it waits until somebody gives up.
    private struct StuckWriter: ResponseBodyWriter {
        let wrote: AsyncStream<Void>.Continuation

        mutating func write(_ buffer: ByteBuffer) async throws {
            wrote.yield()
            let (nothing, feed) = AsyncStream.makeStream(of: Never.self)
            for await _ in nothing {}
            withExtendedLifetime(feed) {}
            try Task.checkCancellation()
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    @Test("is heard by a thousand devices when one block comes")
    func thousand() async throws {
        OpenFiles.allow(4096)
        let (log, organisation) = (centre.log, centre.hub.identity.organisation)
        try await centre.live { live in
            let message = try writer.syncMessage(writer.sync([try writer.seal("Việc")]))
            let transport = try live.transport()
            let reply = try await Blocking.run {
                let audience = try WakeAudience(1000, of: "CB1", in: log, organisation: organisation)
                try audience.open(port: live.port, now: Centre.start)
                let reply = try transport.send(message.call)
                try audience.hear("event: moved\ndata: plan/KH1\n\n")
                return reply
            }
            #expect(reply.status == 200)
        }
    }

    // MARK: refusals

    private func refused(_ message: Message) async throws -> String {
        let response = try await centre.serve { try await $0.send(message) }
        return "\(response.status.code) \(try centre.problem(response, to: message).code)"
    }

    @Test("is refused, signed, to strangers, for others, out of time, and with a body or anything that tells of one")
    func refusals() async throws {
        let stranger = try Device(seed: 9, organisation: centre.hub.identity.organisation)
        #expect(try await refused(try stranger.wakeMessage()) == "403 unknownDevice")
        let other = String(repeating: "0", count: 64)
        #expect(try await refused(try device.wakeMessage(organisation: other)) == "403 wrongOrganisation")
        #expect(try await refused(try device.wakeMessage(at: Centre.start + 601_000)) == "401 staleRequest")
        #expect(try await refused(try device.wakeMessage(at: Centre.start - 601_000)) == "401 staleRequest")
        let type = try device.wakeMessage(contentType: Device.contentType)
        #expect(try await refused(type) == "400 malformed")
        let digest = try device.wakeMessage(contentDigest: ContentDigest.header(for: []))
        #expect(try await refused(digest) == "400 malformed")
        var body = try device.wakeMessage()
        (body.body, body["content-length"]) = ([1], "1")
        #expect(try await refused(body) == "413 tooLarge")
        var forged = try device.wakeMessage()
        forged["signature"] = try device.wakeMessage()["signature"]
        #expect(try await refused(forged) == "401 badSignature")
        var post = try device.message("/v1/wake", [])
        for method in ["POST", "HEAD"] {
            post.method = method
            let status = try await centre.serve { [post] in try await $0.send(post) }.status
            #expect(status == .notFound, "\(method)")
        }
    }
}
