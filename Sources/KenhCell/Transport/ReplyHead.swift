/// The status line and headers of a reply, line by line as libcurl hands them over.
///
/// Interim replies (1xx) come first and are forgotten when the next status line begins; trailers come after the body
/// and are ignored, since nothing may be added to a reply once its body is being taken.
struct ReplyHead {
    /// For all lines of one exchange together.
    static let limitBytes = 64 * 1024

    private(set) var headers: [(name: String, value: String)] = []
    private(set) var totalBytes = 0
    /// 0 where the status line cannot be read.
    private(set) var status = 0
    /// Whether the empty line that ends the head has come.
    private(set) var isWhole = false

    /// False once the lines are more than the limit.
    mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
        totalBytes += line.count
        guard totalBytes <= Self.limitBytes else { return false }
        if line.starts(with: "HTTP/".utf8) {
            headers = []
            status = Self.status(line)
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

    /// Whether the body is server-sent events (HTML, 9.2): a success of just that type, whatever its parameters.
    var isEventStream: Bool {
        let type = headers.last { $0.name == "content-type" }?.value.prefix { $0 != ";" } ?? ""
        return status == 200
            && type.split(whereSeparator: \.isWhitespace).map { $0.lowercased() } == ["text/event-stream"]
    }

    /// "HTTP/1.1 200 OK".
    private static func status(_ line: UnsafeRawBufferPointer) -> Int {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
        guard parts.count > 1 else { return 0 }
        return Int(String(decoding: trimmed(parts[1]), as: UTF8.self)) ?? 0
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
