import CCurl

/// The request's headers as libcurl's linked list.
struct CurlHeaderList: ~Copyable {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ call: HTTPCall) throws(TransportError) {
        // libcurl writes the method into the request as it is.
        guard FieldSyntax.isName(call.method.utf8) else { throw Self.unfit("method", call.method) }
        var hasContentType = false
        for (name, value) in call.headers {
            guard FieldSyntax.isName(name.utf8), FieldSyntax.isValue(value.utf8) else {
                throw Self.unfit("header", name)
            }
            hasContentType = hasContentType || name.lowercased() == "content-type"
            // libcurl takes "Name:" for "leave this header out" and "Name;" for an empty one.
            try append(value.utf8.allSatisfy { $0 == 32 || $0 == 9 } ? "\(name);" : "\(name): \(value)")
        }
        // Without these libcurl waits for a "100 Continue" before a body, and calls every body a form.
        try append("Expect:")
        if !hasContentType { try append("Content-Type:") }
    }

    deinit { curl_slist_free_all(first) }

    private mutating func append(_ line: String) throws(TransportError) {
        guard let longer = curl_slist_append(first, line) else {
            throw TransportError(.other, "no memory for a request; close other programmes and try again")
        }
        first = longer
    }

    private static func unfit(_ part: String, _ name: String) -> TransportError {
        TransportError(
            .other,
            "the request's \(part) \"\(ParsedURL.redacted(name))\" is not fit for HTTP; report this as a fault of kenh",
            recovery: .stop)
    }
}
