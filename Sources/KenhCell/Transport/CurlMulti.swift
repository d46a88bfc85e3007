import CCurl

/// One exchange by libcurl's multi interface. It waits without waking up in between, which the easy interface cannot,
/// and another thread can end the wait.
final class CurlMulti {
    private let easy: UnsafeMutableRawPointer
    private let multi: UnsafeMutableRawPointer

    /// Nil where libcurl has no memory.
    init?() {
        guard let easy = curl_easy_init() else { return nil }
        guard let multi = curl_multi_init() else {
            curl_easy_cleanup(easy)
            return nil
        }
        (self.easy, self.multi) = (easy, multi)
    }

    deinit {
        curl_multi_remove_handle(multi, easy)
        curl_easy_cleanup(easy)
        curl_multi_cleanup(multi)
    }

    /// For setting options and for asking what came.
    var exchange: CurlEasy { CurlEasy(easy) }

    /// Blocks until the exchange has ended. The easy handle's options have to be set.
    ///
    /// - Parameter quietMilliseconds: for how long nothing has come.
    func perform(
        stallMilliseconds: Int64, cancellation: Cancellation, quietMilliseconds: () -> Int64
    ) -> CURLcode {
        guard curl_multi_add_handle(multi, easy) == CURLM_OK else { return CURLE_FAILED_INIT }
        nonisolated(unsafe) let multi = multi
        return cancellation.watched {
            curl_multi_wakeup(multi)
        } during: {
            while true {
                var running: Int32 = 0
                guard curl_multi_perform(multi, &running) == CURLM_OK else { return CURLE_FAILED_INIT }
                if running == 0 { return result() }
                if cancellation.isCancelled { return CURLE_ABORTED_BY_CALLBACK }
                let left = stallMilliseconds - quietMilliseconds()
                guard left > 0 else { return CURLE_OPERATION_TIMEDOUT }
                curl_multi_poll(multi, nil, 0, Int32(clamping: left), nil)
            }
        }
    }

    private func result() -> CURLcode {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            if message.pointee.msg == CURLMSG_DONE { return message.pointee.data.result }
        }
        return CURLE_GOT_NOTHING
    }
}
