/// A language in which Kenh speaks to people. Vietnamese comes first.
public enum Language: String, Sendable, CaseIterable {
    case vietnamese = "vi"
    case english = "en"

    /// From a locale or language tag such as `vi_VN.UTF-8`, `en` or `en-GB`; anything else is Vietnamese.
    public init(locale: String?) {
        let primary = (locale ?? "").prefix { $0 != "_" && $0 != "-" && $0 != "." && $0 != "@" }
        self = Language(rawValue: primary.lowercased()) ?? .vietnamese
    }
}

/// A text in every language.
public struct Bilingual: Sendable, Hashable {
    public let vietnamese: String
    public let english: String

    public init(_ vietnamese: String, _ english: String) {
        self.vietnamese = vietnamese
        self.english = english
    }

    public subscript(language: Language) -> String {
        switch language {
        case .vietnamese: vietnamese
        case .english: english
        }
    }
}
