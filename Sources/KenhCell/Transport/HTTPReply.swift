/// A whole reply.
public struct HTTPReply: Sendable {
    /// 100 to 599 from an honest server; any number from others.
    public var status: Int
    /// Names in lower case, in the order in which they came; trailers are left out.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The value of a header by its lower-case name; those sent more than once are joined by ", " (RFC 9110, 5.3).
    public subscript(name: String) -> String? {
        let values = headers.lazy.filter { $0.name.utf8.elementsEqual(name.utf8) }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// `Retry-After` in seconds. Its other form, a date, is ignored: it would need two clocks that agree.
    public var retryAfterSeconds: Int? {
        guard let value = self["retry-after"], !value.isEmpty else { return nil }
        guard value.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
        return Int(value) ?? .max
    }
}
