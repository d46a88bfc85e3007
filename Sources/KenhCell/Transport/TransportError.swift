/// Why a call brought back no whole reply, and what to do next. Whether the centre acted on the call is unknown
/// unless the code says that it was never reached.
public struct TransportError: Error, Sendable {
    public enum Code: String, Sendable, CaseIterable {
        case invalidURL, nameNotFound, refused, unreachable, timedOut, tls, proxy, cancelled, tooLarge, cutShort,
            unsupported, other
    }

    public enum Recovery: String, Sendable {
        /// The same call may succeed later without anybody doing anything.
        case retry
        /// Nobody wants this call any more, or it can never succeed as it is.
        case stop
        /// A person probably has to change something; calling again now and then does no harm.
        case askAPerson
    }

    public let code: Code
    /// A sentence for people: what happened, and what to do next. Holds no passwords.
    public let message: String
    public let recovery: Recovery

    /// Where no recovery is given, it follows from the code.
    public init(_ code: Code, _ message: String, recovery: Recovery? = nil) {
        self.code = code
        self.message = message
        self.recovery = recovery ?? code.usualRecovery
    }
}

extension TransportError: Equatable {
    public static func == (a: TransportError, b: TransportError) -> Bool { a.code == b.code }
}

extension TransportError: CustomStringConvertible {
    public var description: String { message }
}

extension TransportError.Code {
    fileprivate var usualRecovery: TransportError.Recovery {
        switch self {
        case .nameNotFound, .refused, .unreachable, .timedOut, .proxy, .cutShort, .other: .retry
        case .cancelled: .stop
        case .invalidURL, .tls, .tooLarge, .unsupported: .askAPerson
        }
    }
}
