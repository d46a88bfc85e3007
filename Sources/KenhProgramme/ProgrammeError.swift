/// What is wrong with something that the programme was asked to do, and what to do next.
public struct ProgrammeError: Error, Sendable {
    public enum Code: String, Sendable {
        /// A part that cannot be part of a derived id.
        case badIDPart
        /// A change of state that the state machine has no edge for.
        case noSuchMove
    }

    public enum Recovery: String, Sendable { case askAPerson }

    public let code: Code
    public let message: String
    /// What to do next, for people.
    public let advice: String
    public let recovery: Recovery

    public init(_ code: Code, _ message: String, advice: String, recovery: Recovery = .askAPerson) {
        self.code = code
        self.message = message
        self.advice = advice
        self.recovery = recovery
    }
}

extension ProgrammeError: Equatable {
    public static func == (a: ProgrammeError, b: ProgrammeError) -> Bool { a.code == b.code }
}

extension ProgrammeError: CustomStringConvertible {
    public var description: String { "\(message); \(advice)" }
}
