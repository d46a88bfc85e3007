/// What ``Store/verify(deep:progress:)`` found.
public struct VerifyReport: Sendable, Equatable {
    /// Blocks that were read, and the changes that their headers declare.
    public internal(set) var blocks = 0
    public internal(set) var changes = 0
    /// Values that were erased, each named by an erasure.
    public internal(set) var erasedValues = 0
    /// One sentence each, for people. Past a hundred only the fact that there are more is kept.
    public internal(set) var problems: [String] = []

    public var isGood: Bool { problems.isEmpty }

    static let problemLimit = 100

    mutating func add(_ problem: String) {
        if problems.count < Self.problemLimit { return problems.append(problem) }
        if problems.count == Self.problemLimit { problems.append("there are more problems than these") }
    }
}
