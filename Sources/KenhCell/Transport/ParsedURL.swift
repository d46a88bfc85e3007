import CCurl

/// A URL taken apart by libcurl itself, so that what is checked is what is used.
struct ParsedURL: ~Copyable {
    private let handle: OpaquePointer

    /// Nil where libcurl cannot read it, or where it holds a control character (a NUL would hide the rest from C).
    init?(_ text: String, flags: Int32 = 0) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), let handle = curl_url() else { return nil }
        guard curl_url_set(handle, CURLUPART_URL, text, UInt32(bitPattern: flags)) == CURLUE_OK else {
            curl_url_cleanup(handle)
            return nil
        }
        self.handle = handle
    }

    deinit { curl_url_cleanup(handle) }

    /// Nil where the URL has no such part.
    func part(_ part: CURLUPart) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    /// The whole URL without its user, password, query and fragment, and without a slash at its end.
    consuming func forPeople() -> String {
        for secret in [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT] {
            _ = curl_url_set(handle, secret, nil, 0)
        }
        return Self.withoutEndingSlashes(part(CURLUPART_URL) ?? "")
    }

    static func withoutEndingSlashes(_ url: String) -> String {
        var url = url[...]
        while url.utf8.last == UInt8(ascii: "/") { url.removeLast() }
        return String(url)
    }

    /// A text that is no URL, fit for a message: without what may be a password, and not long.
    static func redacted(_ text: String) -> String {
        let shown = text.utf8.lastIndex(of: UInt8(ascii: "@")).map { "…\(text[text.utf8.index(after: $0)...])" } ?? text
        let printable = shown.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(120)
        return String(String.UnicodeScalarView(printable))
    }
}
