import KenhStore

/// A readable id made of the parts of what it names, such as `CB3/2022-05`, for what two units may create
/// independently: both make the same id, so that their rows merge.
///
/// The parts are in NFC, not empty, and have neither “/” nor NUL. Two ids are the same where their UTF-8 is.
public struct DerivedID: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public init(_ parts: String...) throws(ProgrammeError) { try self.init(parts: parts) }

    /// - Throws: ``ProgrammeError`` with code `badIDPart`.
    public init(parts: [String]) throws(ProgrammeError) {
        guard !parts.isEmpty else { throw Self.refusal("an id has no parts") }
        let parts = parts.map(\.nfc)
        for part in parts {
            guard !part.isEmpty else { throw Self.refusal("a part of an id is empty") }
            guard !part.utf8.contains(0x2f), !part.utf8.contains(0) else {
                throw Self.refusal("“\(part.replacingNUL)” cannot be part of an id")
            }
        }
        text = parts.joined(separator: "/")
    }

    public var description: String { text }
    public var value: Value { .text(text) }

    private static func refusal(_ what: String) -> ProgrammeError {
        ProgrammeError(.badIDPart, what, advice: "use codes and periods without “/”")
    }
}

extension String {
    fileprivate var replacingNUL: String { String(String.UnicodeScalarView(unicodeScalars.filter { $0.value != 0 })) }
}
