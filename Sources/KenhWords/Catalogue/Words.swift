/// What Kenh says to people, in one language.
public struct Words: Sendable {
    public let language: Language

    public init(_ language: Language) { self.language = language }

    /// The phrase with its `{placeholders}` filled in. One without an argument stays as it is, so that it is noticed.
    public func text(_ phrase: Phrase, _ arguments: [String: String] = [:]) -> String {
        Self.fill(phrase.text[language], arguments)
    }

    public subscript(phrase: Phrase) -> String { text(phrase) }

    /// The names between braces, in the order of the text.
    package static func placeholders(of text: String) -> [String] {
        text.split(separator: "{").dropFirst(text.hasPrefix("{") ? 0 : 1).compactMap { piece in
            piece.firstIndex(of: "}").map { String(piece[..<$0]) }
        }
    }

    /// One pass, so that an argument which itself has braces is shown as it is.
    private static func fill(_ text: String, _ arguments: [String: String]) -> String {
        var result = ""
        var rest = Substring(text)
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let name = String(rest[rest.index(after: open)..<close])
            result += rest[..<open]
            result += arguments[name] ?? "{\(name)}"
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }
}
