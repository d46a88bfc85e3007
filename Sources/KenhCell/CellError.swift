/// Why a cell could not do what it was asked, and what to do next.
public struct CellError: Error, Sendable {
    public enum Code: String, Sendable {
        /// The centre was not reached.
        case unreachable
        /// The centre answered, and said no.
        case refused
        /// The centre answered that it cannot do it at the moment.
        case centreFailed
        /// What answered is not this cell's centre, or was changed on the way.
        case notTheCentre
        /// The centre's log is not the one that was followed.
        case diverged
        /// The centre signed two things that cannot both be true.
        case contradicted
        case rateLimited
        case notJoined
    }

    public enum Recovery: String, Sendable { case retry, resync, stop, askAPerson }

    public let code: Code
    public let message: String
    public let recovery: Recovery
    public let retryAfterSeconds: Int?

    public init(_ code: Code, _ message: String, recovery: Recovery, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.message = message
        self.recovery = recovery
        self.retryAfterSeconds = retryAfterSeconds
    }
}

extension CellError: Equatable {
    public static func == (a: CellError, b: CellError) -> Bool { a.code == b.code }
}

extension CellError: CustomStringConvertible {
    public var description: String { message }
}
