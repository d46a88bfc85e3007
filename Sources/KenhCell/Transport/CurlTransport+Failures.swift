import CCurl

extension CurlTransport {
    func failure(_ code: CURLcode, _ exchange: CurlExchange, _ easy: CurlEasy) -> TransportError {
        let detail = Self.detail(code, exchange)
        switch kind(code, exchange, easy) {
        case .cancelled: return cancelled
        case .tls: return tlsFailure(code, detail)
        case .tooLarge: return tooLarge(exchange)
        case let kind: return TransportError(kind, sentence(kind, detail))
        }
    }

    var cancelled: TransportError {
        TransportError(
            .cancelled, "the exchange with \(address.forPeople) was cancelled; start it again when it is wanted")
    }

    private func kind(_ code: CURLcode, _ exchange: CurlExchange, _ easy: CurlEasy) -> TransportError.Code {
        if exchange.isTooLarge { return .tooLarge }
        if easy.firstRefusal != CURLE_OK { return .unsupported }
        let tunnelStatus = easy.info(CURLINFO_HTTP_CONNECTCODE)
        if tunnelStatus != 0, !(200...299 ~= tunnelStatus) { return .proxy }
        if code == CURLE_COULDNT_CONNECT { return unconnected(osError: easy.info(CURLINFO_OS_ERRNO)) }
        return Self.kind(code)
    }

    private func unconnected(osError: Int) -> TransportError.Code {
        if proxyForPeople != nil { return .proxy }
        switch osError {
        case Int(KENH_ECONNREFUSED): return .refused
        case Int(KENH_ETIMEDOUT): return .timedOut
        default: return .unreachable
        }
    }

    private static func kind(_ code: CURLcode) -> TransportError.Code {
        switch code {
        case CURLE_URL_MALFORMAT: .invalidURL
        case CURLE_COULDNT_RESOLVE_HOST: .nameNotFound
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: .proxy
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_ABORTED_BY_CALLBACK: .cancelled
        case CURLE_FILESIZE_EXCEEDED: .tooLarge
        case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_SEND_FAIL_REWIND,
            CURLE_HTTP2, CURLE_HTTP2_STREAM:
            .cutShort
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_NOT_BUILT_IN, CURLE_UNKNOWN_OPTION, CURLE_WEIRD_SERVER_REPLY:
            .unsupported
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT, CURLE_SSL_ENGINE_NOTFOUND,
            CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_SHUTDOWN_FAILED:
            .tls
        default: .other
        }
    }

    /// libcurl's own sentence. One with an "@" is left out: it may quote an address with its password.
    private static func detail(_ code: CURLcode, _ exchange: CurlExchange) -> String {
        let own = String(cString: exchange.errorText)
        let usual = curl_easy_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
        return own.isEmpty || own.utf8.contains(UInt8(ascii: "@")) ? usual : ParsedURL.redacted(own)
    }
}
