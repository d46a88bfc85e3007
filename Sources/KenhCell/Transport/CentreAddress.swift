import CCurl

/// The centre's base address, checked once: the form that libcurl gets, and the form that people may see.
struct CentreAddress: Sendable {
    /// May hold a user and a password; no slash at its end.
    private let base: String
    /// Without user and password.
    let forPeople: String
    let host: String

    init(_ text: String) throws(TransportError) {
        guard let parsed = ParsedURL(text) else { throw Self.invalid(text, "cannot be read") }
        guard let scheme = parsed.part(CURLUPART_SCHEME), scheme == "http" || scheme == "https" else {
            throw Self.invalid(text, "is neither http nor https")
        }
        guard parsed.part(CURLUPART_QUERY) == nil, parsed.part(CURLUPART_FRAGMENT) == nil else {
            throw Self.invalid(text, "has a \"?\" or \"#\"")
        }
        guard let host = parsed.part(CURLUPART_HOST), let url = parsed.part(CURLUPART_URL) else {
            throw Self.invalid(text, "names no host")
        }
        self.host = host
        base = ParsedURL.withoutEndingSlashes(url)
        forPeople = parsed.forPeople()
    }

    /// The address of one call. The path goes out byte for byte, since calls are signed over it.
    func url(of call: HTTPCall) throws(TransportError) -> String {
        let path = call.path.utf8
        let isPlain = path.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        guard isPlain, path.first == UInt8(ascii: "/") else {
            throw TransportError(
                .invalidURL,
                "cannot call \(forPeople): the call's path is not a plain path; report this as a fault of kenh",
                recovery: .stop)
        }
        return base + call.target
    }

    private static func invalid(_ text: String, _ why: String) -> TransportError {
        TransportError(
            .invalidURL,
            "the centre's address \"\(ParsedURL.redacted(text))\" \(why); write it like https://centre.example or "
                + "http://10.0.0.5:8080")
    }
}
