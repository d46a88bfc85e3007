/// What is said of attachments:
///
///     kenh:
///       attachments:
///         limit: 25           # MiB of one              KENH_ATTACHMENTS_LIMIT
///         types: a/b, c/d     # instead of the usual    KENH_ATTACHMENTS_TYPES
///         rate: 0             # kB a second; 0: no bound  KENH_ATTACHMENTS_RATE
extension Settings {
    /// MiB of one attachment.
    public static let attachmentLimits = 1...1024
    /// Thousands of bytes a second.
    public static let attachmentRates = 0...1_000_000

    public func attachmentLimitBytes() throws(SettingsError) -> UInt64 {
        UInt64(try int("attachments.limit", in: Self.attachmentLimits, default: 25)) << 20
    }

    /// What attachments may take of the line, in bytes a second; 0 for no bound.
    public func attachmentRate() throws(SettingsError) -> Int {
        try int("attachments.rate", in: Self.attachmentRates, default: 0) * 1000
    }

    /// Media types; nil for the usual ones.
    public func attachmentTypes() throws(SettingsError) -> Set<String>? {
        guard let text = try string("attachments.types") else { return nil }
        let types = text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()).lowercased()
        }
        guard !types.isEmpty, types.allSatisfy(Self.isMediaType) else {
            throw SettingsError(
                "the setting kenh.attachments.types has to be media types with commas between, such as "
                    + "application/pdf, image/png, not “\(text)”; correct it")
        }
        return Set(types)
    }

    /// RFC 6838, 4.2.
    private static func isMediaType(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                (1...127).contains(part.count)
                    && part.allSatisfy { byte in
                        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "!#$&-^_.+".utf8.contains(byte)
                    }
            }
    }
}
