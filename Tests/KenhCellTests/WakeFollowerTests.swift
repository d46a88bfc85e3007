import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhTesting
import Logging
import Synchronization
import Testing

/// What a centre's stream does to a cell, over real sockets.
@Suite("The stream by which a centre wakes a cell", .timeLimit(.minutes(60)))
struct WakeFollowerTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    private static let ready = "retry: 100\n\nevent: ready\ndata:\n\n"
    private static let absent = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    /// A follower of a scripted server, with waits of a millisecond at most.
    private final class Scene: Sendable {
        let server: LoopbackServer
        let cancellation = Cancellation()
        let follower: WakeFollower
        let wakes: AsyncStream<Void>
        private let wake: AsyncStream<Void>.Continuation
        /// An element for each request.
        let calls: AsyncStream<Void>

        init(_ script: [LoopbackAnswer], stallMilliseconds: Int64 = 60_000) throws {
            let call: AsyncStream<Void>.Continuation
            (wakes, wake) = AsyncStream.makeStream()
            (calls, call) = AsyncStream.makeStream()
            server = try LoopbackServer(script, onRequest: { call.yield() })
            let transport = try CurlTransport(
                CurlOptions(baseURL: server.url, proxy: ""), cancellation: cancellation)
            var random = SeededGenerator(seed: 3)
            let centre = try FakeCentre()
            var options = WakeFollower.Options()
            options.stallMilliseconds = stallMilliseconds
            options.backoff = Backoff(baseMilliseconds: 1, capMilliseconds: 1)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let client = CentreClient(
                transport: transport, key: try SigningKey(using: &random), organisation: centre.organisation,
                clock: { 0 })
            follower = WakeFollower(transport: transport, options: options, logger: logger) {
                (client, centre.serving.publicKey)
            }
        }

        func run(_ during: () async -> Void) async {
            async let running: Void = follower.run { [wake] in wake.yield() }
            await during()
            follower.stop()
            cancellation.cancel()
            await running
        }
    }

    @Test("wakes it when it is ready, and at each move, and ends at once when the daemon does")
    func wakes() async throws {
        let moved = "event: moved\ndata: plan/KH1\n\n:\n\nevent: other\ndata: x\n\n"
        let scene = try Scene([.bytes(Self.head + Self.ready + moved)])
        await scene.run {
            var wakes = scene.wakes.makeAsyncIterator()
            _ = await wakes.next()
        }
        let request = try #require(scene.server.requests.first)
        #expect(request.firstLine == "GET /v1/wake HTTP/1.1" && scene.server.requests.count == 1)
        #expect(request.header("content-type") == nil && request.header("content-digest") == nil)
        #expect(request.header("signature") != nil)
    }

    @Test("is opened again after it ended, stalled, broke off, said garbage, or was none")
    func again() async throws {
        let garbage = String(repeating: "\u{1}", count: 2 * EventStreamParser.limitBytes)
        let script: [LoopbackAnswer] = [
            .bytesThenClose(Self.head), .bytes(Self.head + ":\n\n"), .close, .bytes(Self.head + garbage),
            .bytesThenClose("garbage\r\n\r\n"), .ok("<html></html>", headers: "Content-Type: text/html\r\n"),
            .bytes("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), .bytes(Self.head + Self.ready),
        ]
        let scene = try Scene(script, stallMilliseconds: 200)
        await scene.run {
            var wakes = scene.wakes.makeAsyncIterator()
            _ = await wakes.next()
        }
        #expect(scene.server.requests.count >= script.count)
    }

    @Test("is not asked for again where the centre does not know it", arguments: [404, 405])
    func notOffered(_ status: Int) async throws {
        let answer = "HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n"
        let scene = try Scene([.bytes(answer), .bytes(Self.head + Self.ready)])
        await scene.run {
            var calls = scene.calls.makeAsyncIterator()
            _ = await calls.next()
            for _ in 0..<100 { scene.follower.synced() }
        }
        #expect(scene.server.requests.count == 1)
    }
}

@Suite("The request for a stream")
struct WakeRequestTests {
    private let centre: FakeCentre
    private let client: CentreClient

    init() throws {
        centre = try FakeCentre()
        var random = SeededGenerator(seed: 2)
        client = CentreClient(
            transport: centre, key: try SigningKey(using: &random), organisation: centre.organisation, clock: { 5000 })
    }

    private func listen(_ take: @escaping ([UInt8]) -> Bool = { _ in true }) -> WakeSchedule.Ending {
        client.listen(over: centre, centre: centre.serving.publicKey, stallMilliseconds: 1, take: take).ending
    }

    @Test("is signed without a body, a type or a digest")
    func signed() throws {
        centre.will(.init(body: Array("data: x\n\n".utf8)))
        var bytes: [UInt8] = []
        let ending = listen { piece in
            bytes += piece
            return true
        }
        #expect(ending == .ended && bytes == Array("data: x\n\n".utf8))
        let call = try #require(centre.calls.first)
        #expect(call.method == "GET" && call.path == "/v1/wake" && call.body.isEmpty)
        let headers = Dictionary(call.headers) { $1 }
        #expect(headers["Content-Type"] == nil && headers["Content-Digest"] == nil)
        let parts = RequestParts(
            method: "GET", path: "/v1/wake", query: "", contentType: "", contentDigest: "",
            organisation: centre.organisation.bytes.hex)
        let signature = SignatureHeaders(
            signatureInput: headers["Signature-Input"] ?? "", signature: headers["Signature"] ?? "")
        _ = try RequestSignature.verify(parts, signature, now: 5) { try PublicKey(bytes: $0) }
    }

    @Test("out of time is repeated once, by the time that the centre signed for")
    func stale() throws {
        let stale = try centre.problem(401, "staleRequest", recovery: "retry", timeMilliseconds: 900_000_000)
        centre.will(stale)
        centre.will(.init(body: [10]))
        #expect(listen() == .ended)
        #expect(centre.calls.map(FakeCentre.created) == [5, 900_000])
        for _ in 0..<3 { centre.will(stale) }
        #expect(listen() == .refused(retryAfterSeconds: nil))
        #expect(centre.calls.count == 4)
        let unsigned = try FakeCentre()
        unsigned.will(try unsigned.problem(401, "staleRequest", timeMilliseconds: 900_000_000, isSigned: false))
        let ending = client.listen(over: unsigned, centre: unsigned.serving.publicKey, stallMilliseconds: 1) { _ in true
        }
        #expect(ending.ending == .refused(retryAfterSeconds: nil) && unsigned.calls.count == 1)
    }

    @Test("may be refused, with a time to wait; nobody there, and an older centre, are something else")
    func refusals() throws {
        var busy = try centre.problem(503, "unavailable", recovery: "retry")
        busy.headers = [("retry-after", "60")]
        centre.will(busy)
        #expect(listen() == .refused(retryAfterSeconds: 60))
        centre.will(try centre.problem(403, "revoked", recovery: "askAPerson"))
        #expect(listen() == .refused(retryAfterSeconds: nil))
        #expect(listen() == .unreached)
        centre.will(.init(status: 404))
        #expect(listen() == .notOffered)
        var forged = try centre.problem(403, "revoked")
        forged.nonce = Nonce(text: "AAECAwQFBgcICQoLDA0ODw==")
        centre.will(forged)
        #expect(listen() == .refused(retryAfterSeconds: nil))
    }
}

extension FakeCentre: EventTransport {
    /// An unsigned answer of success is a stream of one piece.
    func stream(
        _ call: HTTPCall, stallMilliseconds: Int64, take: @escaping ([UInt8]) -> Bool
    ) throws(TransportError) -> HTTPReply {
        var reply = try send(call)
        guard reply.status == 200 else { return reply }
        _ = take(reply.body)
        reply.body = []
        return reply
    }
}
