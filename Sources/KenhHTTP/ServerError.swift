/// Why the centre does not serve, and what to do next.
public struct ServerError: Error, Sendable {
    public enum Code: String, Sendable {
        case addressInUse
        /// The host names no address of this machine.
        case hostUnknown
        /// Ports below 1024 are the system's.
        case notPermitted
        /// Of the certificate or its key.
        case badCertificate
        case failed
    }

    public enum Recovery: String, Sendable { case retry, askAPerson }

    public let code: Code
    public let message: String
    public let recovery: Recovery

    public init(_ code: Code, _ message: String, recovery: Recovery = .askAPerson) {
        self.code = code
        self.message = message
        self.recovery = recovery
    }
}

extension ServerError: Equatable {
    public static func == (a: ServerError, b: ServerError) -> Bool { a.code == b.code }
}

extension ServerError: CustomStringConvertible {
    public var description: String { message }
}
