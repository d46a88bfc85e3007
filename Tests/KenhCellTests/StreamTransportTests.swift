import Foundation
import KenhCell
import Testing

@Suite("A reply that goes on")
struct StreamTransportTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"

    private func transport(_ url: String, cancellation: Cancellation = Cancellation()) throws -> CurlTransport {
        try CurlTransport(
            CurlOptions(baseURL: url, proxy: "", totalTimeoutSeconds: 1, lowSpeedSeconds: 1), cancellation: cancellation
        )
    }

    private let call = HTTPCall(method: "GET", path: "/v1/wake", headers: [("X-Name", "value")], bodyLimitBytes: 10)

    /// Why the stream failed, and what came of it.
    private func failure(
        _ transport: CurlTransport, stallMilliseconds: Int64 = 60_000, take: @escaping ([UInt8]) -> Bool = { _ in true }
    ) -> TransportError? {
        do throws(TransportError) {
            _ = try transport.stream(call, stallMilliseconds: stallMilliseconds, take: take)
            return nil
        } catch { return error }
    }

    @Test("is handed over as it comes, beyond the limit of a reply, until it ends")
    func pieces() throws {
        let server = try LoopbackServer([
            .bytesThenClose(Self.head + "data: one\n\n" + String(repeating: ":\n", count: 99))
        ])
        var bytes: [UInt8] = []
        let reply = try transport(server.url).stream(call, stallMilliseconds: 60_000) { piece in
            bytes += piece
            return true
        }
        #expect(reply.status == 200 && reply.body.isEmpty)
        #expect(reply["content-type"] == "text/event-stream; charset=utf-8")
        #expect(bytes.count == 11 + 198)
        #expect(server.requests.first?.firstLine == "GET /v1/wake HTTP/1.1")
        #expect(server.requests.first?.header("x-name") == "value")
    }

    @Test("ends when the taker has enough")
    func enough() throws {
        let server = try LoopbackServer([.bytes(Self.head + "data: one\n\n")])
        let reply = try transport(server.url).stream(call, stallMilliseconds: 60_000) { _ in false }
        #expect(reply.status == 200)
    }

    @Test("of another status or type is no stream, and is kept to the limit")
    func otherReplies() throws {
        let stream =
            "HTTP/1.1 503 Busy\r\nContent-Type: text/event-stream\r\nContent-Length: 4\r\nRetry-After: 9\r\n\r\nbusy"
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n<html><html"
        let server = try LoopbackServer([.bytes(stream), .bytes(page)])
        let transport = try transport(server.url)
        let reply = try transport.stream(call, stallMilliseconds: 60_000) { _ in
            Issue.record("it was taken for a stream")
            return false
        }
        #expect(reply.status == 503 && reply.body == Array("busy".utf8) && reply.retryAfterSeconds == 9)
        #expect(failure(transport)?.code == .tooLarge)
    }

    @Test("is dead where nothing more comes", arguments: [LoopbackAnswer.silence, .bytes(head + ":\n\n")])
    func stall(answer: LoopbackAnswer) throws {
        let server = try LoopbackServer([answer])
        #expect(failure(try transport(server.url), stallMilliseconds: 100)?.code == .timedOut)
    }

    @Test("ends with the cancellation while nothing comes, and none begins after it")
    func cancellation() throws {
        let cancellation = Cancellation()
        let server = try LoopbackServer([.bytes(Self.head + ":\n\n")])
        let transport = try transport(server.url, cancellation: cancellation)
        let error = failure(transport) { _ in
            Thread.detachNewThread { cancellation.cancel() }
            return true
        }
        #expect(error?.code == .cancelled)
        #expect(failure(transport)?.code == .cancelled)
        #expect(server.requests.count == 1)
    }

    @Test("that breaks off, or is none, fails as a call does")
    func broken() throws {
        let chunked =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n"
        let server = try LoopbackServer([.bytesThenClose(chunked), .bytesThenClose("SSH-2.0-OpenSSH_9.2\r\n"), .close])
        let transport = try transport(server.url)
        #expect(failure(transport)?.code == .cutShort)
        #expect(failure(transport)?.code == .unsupported)
        #expect(failure(transport)?.code == .cutShort)
        let (socket, port) = try LoopbackSocket.bound()
        defer { close(socket) }
        #expect(failure(try self.transport("http://127.0.0.1:\(port)"))?.code == .refused)
    }

    @Test("holds up no call over the same transport")
    func beside() throws {
        let server = try LoopbackServer([.bytes(Self.head + ":\n\n"), .ok("called")])
        let transport = try transport(server.url)
        var answer: [UInt8]?
        _ = try transport.stream(call, stallMilliseconds: 60_000) { _ in
            answer = try? transport.send(HTTPCall(method: "GET", path: "/", bodyLimitBytes: 10)).body
            return false
        }
        #expect(answer == Array("called".utf8))
    }
}
