import RawStructuredFieldValues

/// Reads dictionaries of RFC 9651, the shape of `Content-Digest`, `Signature-Input` and `Signature`.
enum StructuredField {
    /// Header values and other signed parts longer than this are refused before they are parsed.
    static let limitBytes = 4096

    static func dictionary(
        _ value: String, field: String
    ) throws(ProtocolError) -> OrderedMap<String, ItemOrInnerList> {
        guard value.utf8.count <= limitBytes else {
            throw ProtocolError(.tooLarge, "\(field) has over \(limitBytes) bytes")
        }
        do {
            var parser = StructuredFieldValueParser(Array(value.utf8))
            return try parser.parseDictionaryFieldValue()
        } catch {
            throw ProtocolError(.malformed, "\(field) is not a structured field: \(error)")
        }
    }

    /// The member under `key`, where it is a byte sequence.
    static func bytes(_ key: String, in map: OrderedMap<String, ItemOrInnerList>) -> [UInt8]? {
        guard case .item(let item)? = map[key], case .undecodedByteSequence(let text) = item.rfc9651BareItem else {
            return nil
        }
        return Base64.decode(text)
    }
}
