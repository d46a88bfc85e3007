/// A request to the centre, without the centre's address.
public struct HTTPCall: Sendable {
    /// "GET", "POST" and so on, in capitals.
    public var method: String
    /// Below the base address, beginning with "/", with everything unusual already percent-encoded: "/v1/sync".
    public var path: String
    /// Names and values as they are; ``target`` percent-encodes them.
    public var query: [(String, String)]
    /// Names in any case. A name or value that is not fit for HTTP (a line break, say) fails the call.
    public var headers: [(String, String)]
    public var body: [UInt8]
    /// The largest reply body to take; a larger one fails with ``TransportError/Code/tooLarge``.
    public var bodyLimitBytes: Int

    public init(
        method: String,
        path: String,
        query: [(String, String)] = [],
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        bodyLimitBytes: Int
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.bodyLimitBytes = bodyLimitBytes
    }

    /// The path and the encoded query, byte for byte as they are sent below the base address's own path.
    public var target: String { query.isEmpty ? path : "\(path)?\(encodedQuery)" }

    /// The query with everything but RFC 3986's unreserved characters percent-encoded; empty where there is none.
    public var encodedQuery: String {
        query.map { "\(Self.percentEncoded($0.0))=\(Self.percentEncoded($0.1))" }.joined(separator: "&")
    }

    private static func percentEncoded(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 15)]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") &+ nibble : UInt8(ascii: "A") &+ (nibble &- 10)
    }
}
