import CCurl
import Synchronization

/// HTTP over libcurl's easy interface. One handle is kept, so that connections, TLS sessions and resolved names are
/// used again; calls from several threads go one after another.
///
/// Only http and https are spoken, redirects are not followed, replies are not unpacked, and the environment's cookies
/// and passwords (`.netrc`) are not read. The first transport of a process ignores SIGPIPE for it, as NIO does, where
/// nobody handles it.
public final class CurlTransport: HTTPTransport {
    let options: CurlOptions
    let address: CentreAddress
    /// The proxy for messages, where one is set.
    let proxyForPeople: String?
    /// Cancelling it ends the call under way and refuses all later ones.
    public let cancellation: Cancellation
    /// libcurl lets any thread use a handle, but only one at a time: it is touched under the lock alone.
    nonisolated(unsafe) private let handle: UnsafeMutableRawPointer
    private let lock = Mutex(())

    /// - Throws: `invalidURL` where the address is not http or https, `proxy` where the proxy cannot be read,
    ///   `unsupported` where libcurl does not start.
    public init(_ options: CurlOptions, cancellation: Cancellation = Cancellation()) throws(TransportError) {
        self.options = options
        self.cancellation = cancellation
        address = try CentreAddress(options.baseURL)
        proxyForPeople = try Self.checkedProxy(options.proxy)
        guard FieldSyntax.isValue(options.userAgent.utf8) else {
            throw TransportError(
                .other, "the user agent's name is not fit for HTTP; use plain letters", recovery: .stop)
        }
        guard Self.isStarted, let easy = curl_easy_init() else {
            throw TransportError(.unsupported, "libcurl does not start; check that libcurl 7.85 or later is installed")
        }
        handle = easy
    }

    deinit { curl_easy_cleanup(handle) }

    public func send(_ call: HTTPCall) throws(TransportError) -> HTTPReply {
        let url = try address.url(of: call)
        let headers = try CurlHeaderList(call)
        return try lock.withLock { _ throws(TransportError) in
            var easy = CurlEasy(handle)
            return try exchange(call, url, headers, over: &easy)
        }
    }

    private func exchange(
        _ call: HTTPCall, _ url: String, _ headers: borrowing CurlHeaderList, over easy: inout CurlEasy
    ) throws(TransportError) -> HTTPReply {
        guard !cancellation.isCancelled else { throw cancelled }
        let exchange = CurlExchange(bodyLimitBytes: call.bodyLimitBytes, cancellation: cancellation)
        // Clears the pointers into this call; connections stay.
        defer { withExtendedLifetime(exchange) { curl_easy_reset(easy.handle) } }
        let code = call.body.withUnsafeBytes { body in
            configure(&easy, for: exchange)
            easy.set(CURLOPT_URL, url)
            easy.set(CURLOPT_HTTPHEADER, headers.first.map { UnsafeRawPointer($0) })
            setRequest(&easy, call.method, body)
            return easy.firstRefusal == CURLE_OK ? curl_easy_perform(easy.handle) : easy.firstRefusal
        }
        guard code == CURLE_OK else { throw failure(code, exchange, easy) }
        // libcurl takes a connection that ends between two headers for the end of the reply.
        guard exchange.head.isWhole else {
            throw TransportError(.cutShort, sentence(.cutShort, "it ended within the reply's headers"))
        }
        return HTTPReply(
            status: easy.info(CURLINFO_RESPONSE_CODE), headers: exchange.head.headers, body: exchange.body)
    }

    private static let isStarted = kenh_curl_start() == CURLE_OK

    private static func checkedProxy(_ proxy: String?) throws(TransportError) -> String? {
        guard let proxy, !proxy.isEmpty else { return nil }
        // libcurl quotes a proxy that it cannot read, password and all, in its own message; so it is read here first.
        guard let parsed = ParsedURL(proxy, flags: CURLU_DEFAULT_SCHEME | CURLU_NON_SUPPORT_SCHEME) else {
            throw TransportError(
                .proxy,
                "the proxy \"\(ParsedURL.redacted(proxy))\" cannot be read; write it like http://proxy.example:3128",
                recovery: .askAPerson)
        }
        return parsed.forPeople()
    }
}
