import KenhProtocol

/// What the centre answers when it cannot do what it was asked, and what the asker should do next.
public struct HubError: Error, Sendable {
    public enum Code: String, Sendable {
        case cellExists, cellUnknown, badCellCode, deviceUnknown, badChannel, badRole, roleUnknown, logMismatch,
            notInitialised, alreadyInitialised, unavailable, diskFull, keyReplaced
    }

    public let code: Code
    public let message: String
    public let recovery: ProtocolError.Recovery

    public init(_ code: Code, _ message: String, recovery: ProtocolError.Recovery = .stop) {
        self.code = code
        self.message = message
        self.recovery = recovery
    }
}

extension HubError: Equatable {
    public static func == (a: HubError, b: HubError) -> Bool { a.code == b.code }
}

extension HubError: CustomStringConvertible {
    public var description: String { message }
}
