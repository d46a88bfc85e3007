import CCurl

/// A libcurl easy handle for the length of one exchange. It remembers the first option that libcurl refuses, so that
/// options can be set in plain lines and checked once.
struct CurlEasy {
    let handle: UnsafeMutableRawPointer
    private(set) var firstRefusal = CURLE_OK

    init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func set(_ option: CURLoption, _ number: Int) {
        note(kenh_curl_set_long(handle, option, number))
    }

    mutating func set(_ option: CURLoption, large number: Int) {
        note(kenh_curl_set_offset(handle, option, curl_off_t(number)))
    }

    /// libcurl copies the text.
    mutating func set(_ option: CURLoption, _ text: String) {
        note(kenh_curl_set_string(handle, option, text))
    }

    /// libcurl keeps the pointer.
    mutating func set(_ option: CURLoption, _ pointer: UnsafeRawPointer?) {
        note(kenh_curl_set_pointer(handle, option, pointer))
    }

    mutating func set(_ option: CURLoption, _ callback: kenh_curl_data) {
        note(kenh_curl_set_data(handle, option, callback))
    }

    mutating func setProgress(_ callback: kenh_curl_progress) {
        note(kenh_curl_set_progress(handle, callback))
    }

    /// 0 where libcurl does not know.
    func info(_ info: CURLINFO) -> Int {
        var value = 0
        return kenh_curl_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    private mutating func note(_ code: CURLcode) {
        if firstRefusal == CURLE_OK { firstRefusal = code }
    }
}
