/// A value of one column. Equality is the type and the bytes: NFC and NFD differ, 1 and 1.0 differ, 0.0 and −0.0 differ.
public enum Value: Sendable {
    case null
    case integer(Int64)
    case real(Double)
    /// UTF-8 without NUL; never normalised.
    case text([UInt8])
    case blob([UInt8])

    public static func text(_ string: String) -> Value { .text(Array(string.utf8)) }

    /// The tag that states and blocks carry.
    public enum Tag: UInt8, Sendable {
        case null = 0
        case integer = 1
        case real = 2
        case text = 3
        case blob = 4
        /// SHA-256(domain ‖ 16 random bytes ‖ tag ‖ value) of an erasable value that is not here (any more).
        case commitment = 5
    }

    public var tag: Tag {
        switch self {
        case .null: .null
        case .integer: .integer
        case .real: .real
        case .text: .text
        case .blob: .blob
        }
    }

    /// The text, where this is one; nothing else is converted.
    public var string: String? {
        guard case .text(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Value: Hashable {
    public static func == (a: Value, b: Value) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.integer(let x), .integer(let y)): x == y
        case (.real(let x), .real(let y)): x.bitPattern == y.bitPattern
        case (.text(let x), .text(let y)), (.blob(let x), .blob(let y)): x == y
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(tag)
        switch self {
        case .null: break
        case .integer(let x): hasher.combine(x)
        case .real(let x): hasher.combine(x.bitPattern)
        case .text(let x), .blob(let x): hasher.combine(x)
        }
    }
}

extension Value: CustomStringConvertible {
    /// For people: text as it is, blobs as hex, NULL as the word.
    public var description: String {
        switch self {
        case .null: "NULL"
        case .integer(let x): "\(x)"
        case .real(let x): "\(x)"
        case .text(let x): String(decoding: x, as: UTF8.self)
        case .blob(let x): "x'\(x.hex)'"
        }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .text(Array(value.utf8)) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(nilLiteral: ()) { self = .null }
}

extension ByteWriter {
    public mutating func value(_ value: Value) {
        byte(value.tag.rawValue)
        switch value {
        case .null: break
        case .integer(let x): signed(x)
        case .real(let x): fixed64(x.bitPattern)
        case .text(let x), .blob(let x): prefixed(x)
        }
    }
}

extension ByteReader {
    public mutating func value() throws(MalformedBytes) -> Value {
        switch Value.Tag(rawValue: try byte()) {
        case .null: return .null
        case .integer: return .integer(try signed())
        case .real: return .real(Double(bitPattern: try fixed64()))
        case .text: return .text(Array(try prefixed(upTo: remaining)))
        case .blob: return .blob(Array(try prefixed(upTo: remaining)))
        case .commitment, nil: throw MalformedBytes("no such type of value", at: offset)
        }
    }
}
