import KenhMerge

/// The header field `Content-Digest` of RFC 9530, with SHA-256.
public enum ContentDigest {
    /// `sha-256=:…:`, over the content as it travels.
    public static func header(for content: UnsafeRawBufferPointer) -> String {
        "sha-256=:\(Base64.encode(Hashing.plainSHA256(content).bytes)):"
    }

    public static func header(for content: [UInt8]) -> String {
        content.withUnsafeBytes { header(for: $0) }
    }

    /// Digests by other algorithms in the same field are passed over; one by SHA-256 has to be there.
    ///
    /// - Throws: ``ProtocolError`` with code `malformed`, `tooLarge` or `badDigest`.
    public static func verify(_ header: String, content: UnsafeRawBufferPointer) throws(ProtocolError) {
        let digests = try StructuredField.dictionary(header, field: "Content-Digest")
        guard let digest = StructuredField.bytes("sha-256", in: digests) else {
            throw ProtocolError(.malformed, "Content-Digest has no sha-256")
        }
        guard digest == Hashing.plainSHA256(content).bytes else {
            throw ProtocolError(.badDigest, "the content is not the one that Content-Digest names", recovery: .retry)
        }
    }

    public static func verify(_ header: String, content: [UInt8]) throws(ProtocolError) {
        let result = content.withUnsafeBytes { bytes in
            Result { () throws(ProtocolError) in try verify(header, content: bytes) }
        }
        try result.get()
    }
}
