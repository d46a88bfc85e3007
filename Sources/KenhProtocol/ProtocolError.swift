/// What went wrong between two nodes, or in bytes that one sent, and what to do about it.
///
/// Two errors are equal if their codes are. `code`, `message` and `recovery` travel as they are in a `Problem`.
public struct ProtocolError: Error, Sendable {
    public enum Code: String, Sendable, CaseIterable {
        case malformed
        case unsupportedVersion
        case tooLarge
        case badSignature
        case staleRequest
        case wrongOrganisation
        case brokenLink
        case unknownDevice
        case codeUnknown
        case codeUsed
        case codeExpired
        case badCode
        case badKey
        case badDigest
        case compression
        case forbidden
        /// The device was revoked.
        case revoked
        /// Nothing is known under this name.
        case notFound
        /// Attachments of this type are not taken.
        case typeNotAllowed
    }

    public enum Recovery: String, Sendable, CaseIterable {
        /// The same again may succeed.
        case retry
        /// Compare what both sides have, then go on.
        case resync
        /// Doing it again cannot help.
        case stop
        /// A person has to decide or to type something else.
        case askAPerson
    }

    public let code: Code
    /// One sentence for people. Never holds a secret.
    public let message: String
    public let recovery: Recovery

    public init(_ code: Code, _ message: String, recovery: Recovery = .stop) {
        self.code = code
        self.message = message
        self.recovery = recovery
    }
}

extension ProtocolError: Equatable {
    public static func == (a: ProtocolError, b: ProtocolError) -> Bool { a.code == b.code }
}

extension ProtocolError: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(message)" }
}
