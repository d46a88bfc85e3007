import KenhProtocol

/// What the centre answers when it cannot do what it was asked, and what the asker should do next.
public struct HubError: Error, Sendable {
    public enum Code: String, Sendable {
        case cellExists, cellUnknown, badCellCode, deviceUnknown, badChannel, badRole, roleUnknown, badReason,
            logMismatch,
            notInitialised, alreadyInitialised, unavailable, diskFull, keyReplaced
        /// A piece does not begin where the one before ended; ``blob`` says where that is.
        case blobOffset
        /// The device has begun too many uploads and not ended them.
        case uploadQuota
    }

    public let code: Code
    public let message: String
    public let recovery: ProtocolError.Recovery
    /// Of `blobOffset`.
    public let blob: WireBlobStatus?

    public init(
        _ code: Code, _ message: String, recovery: ProtocolError.Recovery = .stop, blob: WireBlobStatus? = nil
    ) {
        self.blob = blob
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
