import KenhMerge

/// The query of a request for an attachment, such as `channel=plan%2FKH1&size=1024&type=image%2Fpng&offset=0`.
public struct BlobQuery: Sendable, Equatable {
    public var channel: String
    /// Of the whole, in bytes; of an upload.
    public var size: UInt64?
    /// Media type, of an upload.
    public var type: String?
    /// Where the piece begins.
    public var offset: UInt64
    /// The largest piece that the asker wants, 1 to ``BlobRules/pieceBytes``; of a download.
    public var limitBytes: Int
    /// Asks how much there is instead of for a piece.
    public var wantsStatus: Bool

    public init(
        channel: String, size: UInt64? = nil, type: String? = nil, offset: UInt64 = 0,
        limitBytes: Int = BlobRules.pieceBytes, wantsStatus: Bool = false
    ) {
        self.channel = channel
        self.size = size
        self.type = type
        self.offset = offset
        self.limitBytes = limitBytes
        self.wantsStatus = wantsStatus
    }

    /// Reads a query without its question mark. Names that are not known are passed over.
    ///
    /// - Throws: ``ProtocolError`` with code `malformed`: no channel for rows, a name given twice, a number in another
    ///   form, something that is no percent-encoded UTF-8.
    public init(_ text: String) throws(ProtocolError) {
        var values: [String: String] = [:]
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let (name, value) = (
                try Self.decoded(parts[0]), try Self.decoded(parts.count > 1 ? parts[1] : ""[...].utf8)
            )
            guard values.updateValue(value, forKey: name) == nil else {
                throw ProtocolError(.malformed, "the query says \(name.prefix(20)) twice")
            }
        }
        guard let channel = values["channel"], ChannelName.isValid(channel) else {
            throw ProtocolError(.malformed, "the query names no channel for rows")
        }
        self.init(channel: channel)
        size = try values["size"].map(Self.number)
        type = values["type"]
        offset = try values["offset"].map(Self.number) ?? 0
        if let limit = try values["limit"].map(Self.number) {
            guard (1...UInt64(BlobRules.pieceBytes)).contains(limit) else { throw Self.badNumber }
            limitBytes = Int(limit)
        }
        guard ["1", "0", nil].contains(values["status"]) else { throw Self.badNumber }
        wantsStatus = values["status"] == "1"
    }

    /// Names and values as they are, for whoever percent-encodes them.
    public var pairs: [(String, String)] {
        var pairs = [("channel", channel)]
        if wantsStatus { return pairs + [("status", "1")] }
        if let size { pairs.append(("size", String(size))) }
        if let type { pairs.append(("type", type)) }
        pairs.append(("offset", String(offset)))
        if size == nil, limitBytes != BlobRules.pieceBytes { pairs.append(("limit", String(limitBytes))) }
        return pairs
    }

    private static let badNumber = ProtocolError(.malformed, "a number in the query is out of range")

    /// Decimal, without a sign and without zeros in front, below 2^63.
    private static func number(_ text: String) throws(ProtocolError) -> UInt64 {
        let digits = text.utf8
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }), digits.first != 0x30 || digits.count == 1,
            let number = UInt64(text), number <= UInt64(Int64.max)
        else { throw badNumber }
        return number
    }

    private static func decoded(_ text: Substring.UTF8View) throws(ProtocolError) -> String {
        var bytes: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next(), let low = rest.next(),
                let escaped = [UInt8](hex: String(decoding: [high, low], as: UTF8.self))?.first
            else { throw ProtocolError(.malformed, "the query is not percent-encoded") }
            bytes.append(escaped)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw ProtocolError(.malformed, "the query is no UTF-8")
        }
        return decoded
    }
}

/// An attachment's name in a path: its SHA-256 in 64 lower-case hex digits.
public enum BlobPath {
    public static let prefix = "/v1/blobs/"

    public static func path(of hash: Hash256) -> String { prefix + hash.bytes.hex }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public static func hash(in path: String) throws(ProtocolError) -> Hash256 {
        guard let hash = Hash256(path: path, after: prefix) else {
            throw ProtocolError(.malformed, "an attachment is named by 64 lower-case hex digits")
        }
        return hash
    }
}

extension Hash256 {
    /// What a path names by 64 lower-case hex digits; nil of another form.
    init?(path: String, after prefix: String) {
        let name = path.dropFirst(prefix.count)
        guard path.hasPrefix(prefix), name.utf8.count == 64, name.lowercased().utf8.elementsEqual(name.utf8),
            let bytes = [UInt8](hex: name)
        else { return nil }
        self.init(bytes: bytes)
    }
}
