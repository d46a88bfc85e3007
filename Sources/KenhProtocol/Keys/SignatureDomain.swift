/// What a signature is for. The signed bytes are the tag, one zero byte and the message, so that a signature made for
/// one purpose is worth nothing for another.
public enum SignatureDomain: String, Sendable, CaseIterable {
    case blockDevice = "kenh-v1 block device"
    case blockOfficer = "kenh-v1 block officer"
    case registryStatement = "kenh-v1 registry statement"
    case servingCertificate = "kenh-v1 serving certificate"
    case enrolment = "kenh-v1 enrolment"
    /// A device's key until now, over the one that takes its place.
    case deviceReplacement = "kenh-v1 device replacement"
    /// The centre's, over the epoch and hash of an entry of its log.
    case logEntry = "kenh-v1 log entry"
    /// The centre's, over a whole audit file.
    case auditSeal = "kenh-v1 audit seal"
    /// The text of a signed note, signed as it is, so that others' tools can check it. It has no zero byte, which follows
    /// every tag, and ends with a line feed, which the base of an HTTP signature does not.
    case note = "note"
    /// The signature base of RFC 9421, signed as it is. It begins with a quotation mark and its last line names its
    /// own tag, so it cannot be taken for any of the others.
    case httpMessage = ""

    func signedBytes(of message: [UInt8]) -> [UInt8] {
        switch self {
        case .httpMessage, .note: message
        default: Array(rawValue.utf8) + [0] + message
        }
    }
}
