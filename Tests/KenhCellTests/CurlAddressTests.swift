import Foundation
import KenhCell
import Testing

@Suite("Addresses and proxies of the libcurl transport")
struct CurlAddressTests {
    private func failure(_ options: CurlOptions, _ call: HTTPCall? = nil) -> TransportError? {
        do throws(TransportError) {
            let transport = try CurlTransport(options)
            _ = try transport.send(call ?? HTTPCall(method: "GET", path: "/", bodyLimitBytes: 100))
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "an address that is not plain http or https is refused before anything is sent",
        arguments: [
            "", "centre.example", "localhost:8080", "ftp://centre.example", "file:///etc/passwd", "http://",
            "https://:80",
            "http://a b", "http://centre.example:99999", "http://centre.example?x", "http://centre.example#x",
            "http://centre.example\u{0}.evil", "http://centre.example\r\nHost: x", "http://[::1",
        ])
    func badAddress(address: String) throws {
        let error = try #require(failure(CurlOptions(baseURL: address, proxy: "")))
        #expect(error.code == .invalidURL)
        #expect(error.recovery == .askAPerson)
    }

    @Test(
        "a call's path or header that would change the request is refused",
        arguments: [
            HTTPCall(method: "GET", path: "v1", bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "", bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/a b", bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/a?b", bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/a\r\nX: y", bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/", headers: [("X", "a\r\nY: b")], bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/", headers: [("X: Y", "a")], bodyLimitBytes: 1),
            HTTPCall(method: "GET", path: "/", headers: [("", "a")], bodyLimitBytes: 1),
            HTTPCall(method: "GET / HTTP/1.1\r\nX: y", path: "/", bodyLimitBytes: 1),
        ])
    func badCall(call: HTTPCall) throws {
        let server = try LoopbackServer([.ok("")])
        let error = try #require(failure(CurlOptions(baseURL: server.url, proxy: ""), call))
        #expect(error.recovery == .stop)
        #expect(server.requests.isEmpty)
    }

    @Test(
        "no message shows a password",
        arguments: [
            "http://anna:hunter2@127.0.0.1:PORT/kenh", "http://anna:hunter2@nonexistent.invalid",
            "http://anna:hunter2@127.0.0.1:99999", "anna:hunter2@centre.example", "http://anna:hun@hunter2@a b",
            "ftp://anna:hunter2@centre.example", "http://anna:hunter2@centre.example?x",
        ])
    func secrets(address: String) throws {
        let (socket, port) = try LoopbackSocket.bound()
        defer { close(socket) }
        let address = address.replacingOccurrences(of: "PORT", with: "\(port)")
        for options in [
            CurlOptions(baseURL: address, proxy: ""), CurlOptions(baseURL: "http://127.0.0.1:\(port)", proxy: address),
        ] {
            let message = try #require(failure(options)).message
            #expect(!message.contains("hunter2") && !message.contains("anna"), "\(message)")
        }
    }

    @Test("an http proxy is asked with the whole address")
    func proxy() throws {
        let proxy = try LoopbackServer([.ok("from the proxy")])
        let options = CurlOptions(baseURL: "http://nonexistent.invalid/kenh", proxy: proxy.url)
        let transport = try CurlTransport(options)
        let reply = try transport.send(HTTPCall(method: "GET", path: "/v1/status", bodyLimitBytes: 100))
        #expect(reply.body == Array("from the proxy".utf8))
        #expect(proxy.requests.first?.firstLine == "GET http://nonexistent.invalid/kenh/v1/status HTTP/1.1")
    }

    @Test("a proxy that is down, unknown or unwilling is told apart from the centre")
    func proxyFailures() throws {
        let (socket, port) = try LoopbackSocket.bound()
        defer { close(socket) }
        let unwilling = try LoopbackServer([
            .bytes("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        ])
        for proxy in ["http://127.0.0.1:\(port)", "http://nonexistent.invalid:3128", "not a proxy", unwilling.url] {
            let error = try #require(failure(CurlOptions(baseURL: "https://centre.invalid", proxy: proxy)))
            #expect(error.code == .proxy, "\(proxy): \(error)")
        }
        #expect(unwilling.requests.first?.firstLine == "CONNECT centre.invalid:443 HTTP/1.1")
    }
}
