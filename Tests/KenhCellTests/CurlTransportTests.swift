import Foundation
import KenhCell
import Testing

@Suite("The libcurl transport")
struct CurlTransportTests {
    /// Goes directly whatever the environment's proxies are.
    private func transport(_ url: String, cancellation: Cancellation = Cancellation()) throws -> CurlTransport {
        try CurlTransport(CurlOptions(baseURL: url, proxy: ""), cancellation: cancellation)
    }

    private func get(_ path: String = "/v1/status", limit: Int = 1 << 20) -> HTTPCall {
        HTTPCall(method: "GET", path: path, bodyLimitBytes: limit)
    }

    private func failure(_ transport: CurlTransport, _ call: HTTPCall) -> TransportError? {
        do throws(TransportError) {
            _ = try transport.send(call)
            return nil
        } catch {
            return error
        }
    }

    @Test("a reply brings its status, headers and body")
    func reply() throws {
        let server = try LoopbackServer([
            .bytes(
                "HTTP/1.1 429 Slow\r\nContent-Length: 5\r\nRetry-After:  17 \r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\n\r\nlater"
            )
        ])
        let reply = try transport(server.url).send(get())
        #expect(reply.status == 429)
        #expect(reply.body == Array("later".utf8))
        #expect(reply["retry-after"] == "17")
        #expect(reply.retryAfterSeconds == 17)
        #expect(reply["x-a"] == "1, 2")
        #expect(reply["x-empty"] == "")
        #expect(reply["x-none"] == nil)
    }

    @Test("a request carries its method, target, headers and agent, and nothing that was not asked for")
    func request() throws {
        let server = try LoopbackServer([.ok("")])
        let call = HTTPCall(
            method: "PUT", path: "/v1/../b%20c", query: [("q", "kế hoạch & ~1"), ("z", "")],
            headers: [("X-Name", "value"), ("X-Empty", "")], body: [1, 2, 3], bodyLimitBytes: 10)
        _ = try transport(server.url + "/kenh/").send(call)
        let request = try #require(server.requests.first)
        #expect(request.firstLine == "PUT /kenh\(call.target) HTTP/1.1")
        #expect(call.target == "/v1/../b%20c?q=k%E1%BA%BF%20ho%E1%BA%A1ch%20%26%20~1&z=")
        #expect(request.header("x-name") == "value")
        #expect(request.header("x-empty") == "")
        #expect(request.header("user-agent") == "kenh")
        #expect(request.header("content-length") == "3")
        for name in ["expect", "content-type", "accept-encoding", "authorization"] {
            #expect(request.header(name) == nil, "\(name)")
        }
        #expect(request.body == [1, 2, 3])
    }

    @Test("the methods are sent as they are called, with and without a body")
    func methods() throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        let server = try LoopbackServer([.ok("get"), .ok("post"), .bytes(answer), .ok("delete"), .echo])
        let transport = try transport(server.url)
        for (method, body) in [("GET", 0), ("POST", 0), ("HEAD", 0), ("DELETE", 0), ("POST", 4)] {
            let call = HTTPCall(
                method: method, path: "/", headers: [("Content-Type", "application/x-kenh")],
                body: [UInt8](repeating: 7, count: body), bodyLimitBytes: 100)
            #expect(try transport.send(call).status == 200)
        }
        #expect(
            server.requests.map(\.firstLine) == ["GET", "POST", "HEAD", "DELETE", "POST"].map { "\($0) / HTTP/1.1" })
        #expect(server.requests.allSatisfy { $0.header("content-type") == "application/x-kenh" })
        #expect(server.requests.map(\.body.count) == [0, 0, 0, 0, 4])
    }

    @Test("one connection serves call after call")
    func reuse() throws {
        let server = try LoopbackServer([.ok("a"), .ok("b"), .echo])
        let transport = try transport(server.url)
        _ = try transport.send(get())
        _ = try transport.send(get())
        _ = try transport.send(HTTPCall(method: "POST", path: "/", body: [9], bodyLimitBytes: 1))
        #expect(server.requests.map(\.connection) == [0, 0, 0])
    }

    @Test("a megabyte goes up and comes back unchanged")
    func upload() throws {
        let server = try LoopbackServer([.echo])
        let body = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let call = HTTPCall(method: "POST", path: "/v1/sync", body: body, bodyLimitBytes: 1 << 20)
        let reply = try transport(server.url).send(call)
        #expect(reply.body == body)
    }

    @Test("a reply that ends at any byte but its last is none")
    func cut() throws {
        let whole = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz".utf8)
        for count in 0...whole.count {
            let server = try LoopbackServer([.bytesThenClose(String(decoding: whole.prefix(count), as: UTF8.self))])
            let transport = try transport(server.url)
            guard count == whole.count else {
                #expect(failure(transport, get()) != nil, "\(count) bytes of \(whole.count)")
                continue
            }
            #expect(try transport.send(get()).body.count == 26)
        }
    }

    @Test("a chunked reply is put together, and its trailers are not headers")
    func chunked() throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let server = try LoopbackServer([.bytes(head + "3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Late: 1\r\n\r\n")])
        let reply = try transport(server.url).send(get())
        #expect(reply.body == Array("abcdefg".utf8))
        #expect(reply["x-late"] == nil)
    }

    @Test("headers of an interim reply are forgotten")
    func interim() throws {
        let server = try LoopbackServer([
            .bytes("HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        ])
        let reply = try transport(server.url).send(get())
        #expect(reply.status == 200)
        #expect(reply["x-early"] == nil)
    }

    @Test("a redirect is a reply and is not followed")
    func redirect() throws {
        let server = try LoopbackServer([
            .bytes("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), .ok("elsewhere"),
        ])
        let reply = try transport(server.url).send(get())
        #expect(reply.status == 302)
        #expect(server.requests.count == 1)
    }

    @Test("a reply of exactly the limit is taken, one byte more is not", arguments: [true, false])
    func limit(declared: Bool) throws {
        func answer(_ count: Int) -> LoopbackAnswer {
            let body = String(repeating: "x", count: count)
            guard !declared else { return .ok(body) }
            return .bytesThenClose("HTTP/1.1 200 OK\r\n\r\n\(body)")
        }
        let server = try LoopbackServer([answer(1000), answer(1001), answer(0), answer(1)])
        let transport = try transport(server.url)
        #expect(try transport.send(get(limit: 1000)).body.count == 1000)
        #expect(failure(transport, get(limit: 1000))?.code == .tooLarge)
        #expect(try transport.send(get(limit: 0)).body.isEmpty)
        #expect(failure(transport, get(limit: 0))?.code == .tooLarge)
    }

    @Test("headers without end are refused")
    func headerFlood() throws {
        let line = "X-Flood: \(String(repeating: "y", count: 1000))\r\n"
        let server = try LoopbackServer([.ok("", headers: String(repeating: line, count: 100))])
        let error = try #require(failure(try transport(server.url), get()))
        #expect(error.code == .tooLarge)
        #expect(error.message.contains("headers"))
    }

    @Test(
        "a reply that breaks off is cut short",
        arguments: [
            LoopbackAnswer.bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
            .bytesThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"),
            .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"),
            .close,
        ])
    func cutShort(answer: LoopbackAnswer) throws {
        let server = try LoopbackServer([answer])
        let error = try #require(failure(try transport(server.url), get()))
        #expect(error.code == .cutShort)
        #expect(error.recovery == .retry)
    }

    @Test("the transport works on after a failure")
    func afterFailure() throws {
        let server = try LoopbackServer([
            .close, .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), .ok("b"),
        ])
        let transport = try transport(server.url)
        #expect(failure(transport, get())?.code == .cutShort)
        #expect(failure(transport, get())?.code == .cutShort)
        #expect(try transport.send(get()).body == Array("b".utf8))
    }

    @Test("what is not HTTP is unsupported")
    func notHTTP() throws {
        let server = try LoopbackServer([.bytesThenClose("SSH-2.0-OpenSSH_9.2\r\n")])
        #expect(failure(try transport(server.url), get())?.code == .unsupported)
    }

    @Test("a cancellation ends a call that is never answered, and refuses the next")
    func cancellation() throws {
        let cancellation = Cancellation()
        let server = try LoopbackServer([.silence], onRequest: { cancellation.cancel() })
        let transport = try transport(server.url, cancellation: cancellation)
        let error = try #require(failure(transport, get()))
        #expect(error.code == .cancelled)
        #expect(error.recovery == .stop)
        #expect(failure(transport, get())?.code == .cancelled)
        #expect(server.requests.count == 1)
    }

    @Test("a call that is never answered ends at the total deadline")
    func deadline() throws {
        let server = try LoopbackServer([.silence])
        let options = CurlOptions(baseURL: server.url, proxy: "", totalTimeoutSeconds: 1)
        #expect(failure(try CurlTransport(options), get())?.code == .timedOut)
    }

    @Test("a port where nobody listens refuses, and the message says what to do")
    func refused() throws {
        let (socket, port) = try LoopbackSocket.bound()
        defer { close(socket) }
        let error = try #require(failure(try transport("http://127.0.0.1:\(port)"), get()))
        #expect(error.code == .refused)
        #expect(
            error.description == "cannot reach http://127.0.0.1:\(port): connection refused; "
                + "is the centre running (kenh central serve)?")
    }

    @Test("an unknown host is named")
    func unknownHost() throws {
        let error = try #require(failure(try transport("http://nonexistent.invalid"), get()))
        #expect(error.code == .nameNotFound)
        #expect(error.message.contains("nonexistent.invalid"))
    }

    @Test("https against a port that speaks plain HTTP is a TLS failure")
    func plainPort() throws {
        let server = try LoopbackServer([], greeting: "HTTP/1.1 400 Bad Request\r\n\r\n")
        let error = try #require(failure(try transport("https://127.0.0.1:\(server.port)"), get()))
        #expect(error.code == .tls)
        #expect(error.message.contains("HTTPS"))
    }

    @Test("a certificate file that is not there is a matter for a person")
    func missingAuthorities() throws {
        let (socket, port) = try LoopbackSocket.bound()
        defer { close(socket) }
        #expect(listen(socket, 1) == 0)
        let options = CurlOptions(
            baseURL: "https://127.0.0.1:\(port)", proxy: "", caBundlePath: "/nonexistent/ca.pem")
        let error = try #require(failure(try CurlTransport(options), get()))
        #expect(error.code == .tls)
        #expect(error.recovery == .askAPerson)
        #expect(error.message.contains("/nonexistent/ca.pem"))
    }
}
