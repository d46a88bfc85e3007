/// One covered component of a signature (RFC 9421 §2): its name, its value in this message, and whether a response's
/// signature takes it from the request.
package struct SignatureComponent: Sendable, Equatable {
    package let name: String
    package let value: String
    package let isOfRequest: Bool

    package init(_ name: String, _ value: String, isOfRequest: Bool = false) {
        self.name = name
        self.value = value
        self.isOfRequest = isOfRequest
    }

    /// One line of the signature base. A line break in a value would let one message pass for another.
    func line(identifier: String) throws(ProtocolError) -> String {
        guard value.utf8.count <= StructuredField.limitBytes else {
            throw ProtocolError(.tooLarge, "\(name) has over \(StructuredField.limitBytes) bytes")
        }
        guard value.utf8.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x09 }) else {
            throw ProtocolError(.malformed, "\(name) has a character that cannot be signed")
        }
        return "\(identifier): \(name.hasPrefix("@") ? value : trimmed)"
    }

    /// White space around a field's value is no part of it (RFC 9421 §2.1).
    private var trimmed: String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var rest = value.utf8.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}
