import KenhMerge

/// The centre's word that a block's writer was not allowed to make some of its changes when the centre took it. Every
/// node leaves them out; whoever names one of them names what it named.
public struct Ruling: Sendable, Equatable {
    public let struck: ChangeSet
    /// Why, for programs.
    public let code: String
    /// Why, for people.
    public let message: String

    public init(struck: ChangeSet, code: String, message: String) {
        self.struck = struck
        self.code = code
        self.message = message
    }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Limits.rulingBytes else {
            throw ProtocolError(.malformed, "a ruling is larger than any block needs")
        }
        let wire = try WireCoding.decode(WireRuling.self, from: bytes)
        guard let struck = ChangeSet(wire.struck) else {
            throw ProtocolError(.malformed, "a ruling strikes changes that no block has")
        }
        guard !struck.isEmpty else { throw ProtocolError(.malformed, "a ruling strikes nothing") }
        self.init(struck: struck, code: wire.code, message: wire.message)
    }

    public var encoded: [UInt8] {
        get throws {
            var wire = WireRuling()
            wire.struck = struck.wire
            (wire.code, wire.message) = (code, message)
            return try WireCoding.encode(wire)
        }
    }

    /// Whatever either strikes is struck; this one's words stand.
    public func joined(with other: Ruling?) -> Ruling {
        Ruling(struck: other.map { struck.union($0.struck) } ?? struck, code: code, message: message)
    }
}
