/// What an attachment may be. The centre refuses what does not fit; a cell asks first, so that nobody waits for a refusal.
public struct BlobRules: Sendable, Equatable {
    /// Bytes in one piece of an attachment, up or down.
    public static let pieceBytes = 1 << 20
    public static let defaultLimitBytes: UInt64 = 25 << 20
    /// Uploads that one device may have begun and not ended.
    public static let unfinishedUploads = 16
    /// An upload that nobody goes on with is dropped after this: seven days.
    public static let unfinishedMilliseconds: Int64 = 7 * 24 * 3600 * 1000

    /// Documents, pictures and plain tables; nothing that runs.
    public static let usualTypes: Set<String> = [
        "application/pdf", "image/png", "image/jpeg", "image/webp", "text/plain", "text/csv",
        "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    ]

    /// Of one attachment, in bytes.
    public let limitBytes: UInt64
    /// Media types without parameters, in lower case.
    public let types: Set<String>

    public init(limitBytes: UInt64 = defaultLimitBytes, types: Set<String> = usualTypes) {
        self.limitBytes = limitBytes
        self.types = types
    }

    /// - Throws: ``ProtocolError``: `malformed` where it is empty, `tooLarge`, `typeNotAllowed`.
    public func check(size: UInt64, type: String) throws(ProtocolError) {
        guard size > 0 else {
            throw ProtocolError(.malformed, "an attachment is not empty; choose a file with content")
        }
        guard size <= limitBytes else {
            throw ProtocolError(
                .tooLarge, "the attachment has \(size) bytes, and at most \(limitBytes) are taken; make it smaller",
                recovery: .askAPerson)
        }
        guard types.contains(type) else {
            throw ProtocolError(
                .typeNotAllowed, "attachments of the type \(type.prefix(100)) are not taken; use PDF or a picture",
                recovery: .askAPerson)
        }
    }
}
