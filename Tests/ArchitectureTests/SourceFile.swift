/// One Swift file: the target that it belongs to, its path for messages, and its text.
struct SourceFile {
    let target: String
    let path: String
    let text: String

    /// The modules that it imports, however the import is written.
    var imports: Set<String> {
        let code = CodeScanner.code(in: text)
        let statements = code.split { $0 == "\n" || $0 == ";" || $0 == "\r\n" }
        return Set(statements.compactMap(Self.module))
    }

    /// `[attribute]… [access] import [kind] Module[.Member]`
    private static func module(_ statement: Substring) -> String? {
        let words = statement.split { $0 == " " || $0 == "\t" }.drop {
            $0.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains($0)
        }
        guard words.first == "import" else { return nil }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor"]
        let path = words.dropFirst().drop { kinds.contains($0) }.first
        return path?.split(separator: ".").first.map { $0.filter { $0 != "`" } }
    }
}
