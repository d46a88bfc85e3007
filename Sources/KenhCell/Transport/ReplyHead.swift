/// The status line and headers of a reply, line by line as libcurl hands them over.
///
/// Interim replies (1xx) come first and are forgotten when the next status line begins; trailers come after the body
/// and are ignored, since nothing may be added to a reply once its body is being taken.
struct ReplyHead {
    /// For all lines of one exchange together.
    static let limitBytes = 64 * 1024

    private(set) var headers: [(name: String, value: String)] = []
    private(set) var totalBytes = 0
    /// Whether the empty line that ends the head has come.
    private(set) var isWhole = false

    /// False once the lines are more than the limit.
    mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
        totalBytes += line.count
        guard totalBytes <= Self.limitBytes else { return false }
        if line.starts(with: "HTTP/".utf8) {
            headers = []
            isWhole = false
        } else if line.allSatisfy({ $0 == 13 || $0 == 10 }) {
            isWhole = true
        } else if !isWhole, let header = Self.header(line) {
            headers.append(header)
        }
        return true
    }

    /// The body's length where the reply declares it.
    var declaredBodyBytes: Int? {
        headers.last { $0.name == "content-length" }.flatMap { Int($0.value) }
    }

    /// Nil for anything that is not "name: value", folded lines (obsolete since RFC 7230) among them.
    private static func header(_ line: UnsafeRawBufferPointer) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = line[..<colon]
        guard FieldSyntax.isName(name) else { return nil }
        let value = trimmed(line[line.index(after: colon)...])
        return (String(decoding: name, as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    private static func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        let isSpace: (UInt8) -> Bool = { $0 == 32 || $0 == 9 || $0 == 13 || $0 == 10 }
        var bytes = bytes.drop(while: isSpace)
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }
}
