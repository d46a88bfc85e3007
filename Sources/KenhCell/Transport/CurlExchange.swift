import CCurl

/// What libcurl's callbacks fill in during one exchange. Only the thread inside `curl_easy_perform` touches it.
final class CurlExchange {
    let bodyLimitBytes: Int
    private let cancellation: Cancellation
    private(set) var head = ReplyHead()
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false
    /// Gets the pieces of an event stream; false is enough of it.
    private let take: (([UInt8]) -> Bool)?
    private(set) var isEnough = false
    private var lastHeard = ContinuousClock.now
    /// libcurl writes a sentence here; it must live as long as the handle points to it.
    let errorText: UnsafeMutablePointer<CChar>

    init(bodyLimitBytes: Int, cancellation: Cancellation, take: (([UInt8]) -> Bool)? = nil) {
        self.take = take
        self.bodyLimitBytes = max(bodyLimitBytes, 0)
        self.cancellation = cancellation
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { errorText.deallocate() }

    /// By a clock that goes on while the computer sleeps.
    var quietMilliseconds: Int64 {
        let (seconds, attoseconds) = lastHeard.duration(to: .now).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lastHeard = .now
        if let take, head.isEventStream {
            isEnough = !take(Array(bytes))
            return !isEnough
        }
        guard bytes.count <= bodyLimitBytes - body.count else {
            isTooLarge = true
            return false
        }
        if body.isEmpty, let declared = head.declaredBodyBytes, declared > 0 {
            body.reserveCapacity(min(declared, bodyLimitBytes))
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func takeHeadLine(_ line: UnsafeRawBufferPointer) -> Bool {
        if !head.take(line) { isTooLarge = true }
        return !isTooLarge
    }
}

extension CurlExchange {
    static let onBody: kenh_curl_data = { data, size, count, exchange in
        CurlExchange.pass(data, size, count, exchange) { $0.takeBody($1) }
    }

    static let onHeadLine: kenh_curl_data = { data, size, count, exchange in
        CurlExchange.pass(data, size, count, exchange) { $0.takeHeadLine($1) }
    }

    /// Called all the time during a transfer and about once a second while nothing moves; other than 0 ends it.
    static let onProgress: kenh_curl_progress = { exchange, _, _, _, _ in
        guard let exchange else { return 1 }
        return CurlExchange.from(exchange).cancellation.isCancelled ? 1 : 0
    }

    var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    private static func from(_ opaque: UnsafeMutableRawPointer) -> CurlExchange {
        Unmanaged<CurlExchange>.fromOpaque(opaque).takeUnretainedValue()
    }

    /// Gives libcurl back the number of bytes taken; anything but all of them ends the transfer.
    private static func pass(
        _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ exchange: UnsafeMutableRawPointer?,
        to take: (CurlExchange, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
        guard !overflow, let exchange else { return -1 }
        guard bytes > 0, let data else { return 0 }
        return take(from(exchange), UnsafeRawBufferPointer(start: data, count: bytes)) ? bytes : -1
    }
}
