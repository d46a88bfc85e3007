import CCurl

extension CurlTransport {
    func configure(_ easy: inout CurlEasy, for exchange: CurlExchange) {
        easy.set(CURLOPT_PROTOCOLS_STR, "http,https")
        easy.set(CURLOPT_FOLLOWLOCATION, 0)
        // What is signed is what is sent.
        easy.set(CURLOPT_PATH_AS_IS, 1)
        easy.set(CURLOPT_NOSIGNAL, 1)
        easy.set(CURLOPT_USERAGENT, options.userAgent)
        // A larger buffer than the usual 16 KiB: blocks come in megabytes.
        easy.set(CURLOPT_BUFFERSIZE, 128 * 1024)
        easy.set(CURLOPT_MAX_SEND_SPEED_LARGE, large: max(options.rateBytesPerSecond, 0))
        easy.set(CURLOPT_MAX_RECV_SPEED_LARGE, large: max(options.rateBytesPerSecond, 0))
        setTLS(&easy)
        setDeadlines(&easy)
        setProxy(&easy)
        setCallbacks(&easy, exchange)
    }

    private func setTLS(_ easy: inout CurlEasy) {
        easy.set(CURLOPT_SSL_VERIFYPEER, 1)
        easy.set(CURLOPT_SSL_VERIFYHOST, 2)
        easy.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let path = options.caBundlePath { easy.set(CURLOPT_CAINFO, path) }
        let version = Int(options.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        // A libcurl without HTTP/2 refuses this option, and speaks HTTP/1.1, which is as good.
        _ = kenh_curl_set_long(easy.handle, CURLOPT_HTTP_VERSION, version)
    }

    private func setDeadlines(_ easy: inout CurlEasy) {
        easy.set(CURLOPT_CONNECTTIMEOUT, max(options.connectTimeoutSeconds, 1))
        easy.set(CURLOPT_TIMEOUT, max(options.totalTimeoutSeconds, 1))
        easy.set(CURLOPT_LOW_SPEED_LIMIT, max(options.lowSpeedBytesPerSecond, 0))
        easy.set(CURLOPT_LOW_SPEED_TIME, max(options.lowSpeedSeconds, 0))
        easy.set(CURLOPT_TCP_KEEPALIVE, 1)
        easy.set(CURLOPT_TCP_KEEPIDLE, 60)
        easy.set(CURLOPT_TCP_KEEPINTVL, 30)
        // Otherwise a cancelled or late call waits for the resolver's thread, which may hang for a minute. Libraries
        // before 7.87 lack it and wait.
        _ = kenh_curl_set_long(easy.handle, CURLOPT_QUICK_EXIT, 1)
    }

    private func setProxy(_ easy: inout CurlEasy) {
        guard let proxy = options.proxy else { return }
        easy.set(CURLOPT_PROXY, proxy)
        easy.set(CURLOPT_NOPROXY, "")
    }

    private func setCallbacks(_ easy: inout CurlEasy, _ exchange: CurlExchange) {
        easy.set(CURLOPT_ERRORBUFFER, UnsafeRawPointer(exchange.errorText))
        easy.set(CURLOPT_WRITEFUNCTION, CurlExchange.onBody)
        easy.set(CURLOPT_WRITEDATA, exchange.opaque)
        easy.set(CURLOPT_HEADERFUNCTION, CurlExchange.onHeadLine)
        easy.set(CURLOPT_HEADERDATA, exchange.opaque)
        easy.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        easy.setProgress(CurlExchange.onProgress)
        easy.set(CURLOPT_XFERINFODATA, exchange.opaque)
        easy.set(CURLOPT_NOPROGRESS, 0)
        // Ends a reply that declares too much before its body comes. 0 would mean "any".
        easy.set(CURLOPT_MAXFILESIZE_LARGE, large: exchange.bodyLimitBytes)
    }

    /// libcurl reads the body where it lies, so it must outlive the transfer.
    func setRequest(_ easy: inout CurlEasy, _ method: String, _ body: UnsafeRawBufferPointer) {
        switch method {
        case "GET" where body.isEmpty:
            easy.set(CURLOPT_HTTPGET, 1)
        case "HEAD":
            easy.set(CURLOPT_NOBODY, 1)
            easy.set(CURLOPT_MAXFILESIZE_LARGE, large: 0)
        default:
            easy.set(CURLOPT_POST, 1)
            easy.set(CURLOPT_POSTFIELDSIZE_LARGE, large: body.count)
            // A null body would make libcurl read standard input.
            easy.set(CURLOPT_POSTFIELDS, body.baseAddress ?? UnsafeRawPointer(easy.handle))
            easy.set(CURLOPT_CUSTOMREQUEST, method)
        }
    }
}
