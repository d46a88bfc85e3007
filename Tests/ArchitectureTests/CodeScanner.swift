/// Takes comments and string literals out of Swift source, so that only statements are left.
///
/// Lines of a multi-line string are left in: one that reads like an import is reported rather than missed.
struct CodeScanner {
    private let bytes: [UInt8]
    private var at = 0
    private var code: [UInt8] = []

    static func code(in text: String) -> String {
        var scanner = CodeScanner(bytes: Array(text.utf8))
        while scanner.at < scanner.bytes.count { scanner.step() }
        return String(decoding: scanner.code, as: UTF8.self)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func step() {
        if starts(with: "//") {
            skipLine()
        } else if starts(with: "/*") {
            skipBlock()
        } else if starts(with: "\"") {
            skipString()
        } else {
            code.append(bytes[at])
            at += 1
        }
    }

    private func starts(with text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes[at...].starts(with: $0) }
    }

    private var isAtLineEnd: Bool { at >= bytes.count || bytes[at] == UInt8(ascii: "\n") }

    private mutating func skipLine() {
        while !isAtLineEnd { at += 1 }
    }

    /// Block comments nest.
    private mutating func skipBlock() {
        var depth = 0
        repeat {
            let step = starts(with: "/*") ? 1 : starts(with: "*/") ? -1 : 0
            depth += step
            at += step == 0 ? 1 : 2
        } while depth > 0 && at < bytes.count
    }

    private mutating func skipString() {
        at += 1
        while !isAtLineEnd, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        if !isAtLineEnd { at += 1 }
    }
}
