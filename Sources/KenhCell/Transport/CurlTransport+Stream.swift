import CCurl

/// Each stream has a connection of its own, so that it holds up no call.
extension CurlTransport: EventTransport {
    public func stream(
        _ call: HTTPCall, stallMilliseconds: Int64, take: @escaping ([UInt8]) -> Bool
    ) throws(TransportError) -> HTTPReply {
        let url = try address.url(of: call)
        let headers = try CurlHeaderList(call)
        guard !cancellation.isCancelled else { throw cancelled }
        let exchange = CurlExchange(bodyLimitBytes: call.bodyLimitBytes, cancellation: cancellation, take: take)
        guard let multi = CurlMulti() else {
            throw TransportError(.other, "no memory for a stream; close other programmes and try again")
        }
        var easy = multi.exchange
        let code = call.body.withUnsafeBytes { body in
            configure(&easy, for: exchange)
            setEndless(&easy)
            easy.set(CURLOPT_URL, url)
            easy.set(CURLOPT_HTTPHEADER, headers.first.map { UnsafeRawPointer($0) })
            setRequest(&easy, call.method, body)
            guard easy.firstRefusal == CURLE_OK else { return easy.firstRefusal }
            return multi.perform(stallMilliseconds: max(stallMilliseconds, 1), cancellation: cancellation) {
                exchange.quietMilliseconds
            }
        }
        // Both hold what libcurl points to.
        return try withExtendedLifetime((multi, exchange)) { () throws(TransportError) in
            guard code == CURLE_OK || exchange.isEnough else { throw failure(code, exchange, easy) }
            guard exchange.head.isWhole else {
                throw TransportError(.cutShort, sentence(.cutShort, "it ended within the reply's headers"))
            }
            return HTTPReply(
                status: exchange.head.status, headers: exchange.head.headers, body: exchange.body)
        }
    }

    /// What makes a call fail when it takes long would end every stream.
    private func setEndless(_ easy: inout CurlEasy) {
        easy.set(CURLOPT_TIMEOUT, 0)
        easy.set(CURLOPT_LOW_SPEED_LIMIT, 0)
        easy.set(CURLOPT_LOW_SPEED_TIME, 0)
        easy.set(CURLOPT_MAXFILESIZE_LARGE, large: 0)
        // Small pieces, as they come.
        easy.set(CURLOPT_BUFFERSIZE, 16 * 1024)
    }
}
