/// Bytes that do not follow their format: cut short, a varint that is not the shortest, or a value out of range.
public struct MalformedBytes: Error, Equatable, Sendable {
    public let reason: String
    public let offset: Int

    public init(_ reason: String, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

/// Reads what ``ByteWriter`` wrote. Never reads past its end and never traps, whatever the bytes.
@frozen
public struct ByteReader {
    public let base: UnsafeRawBufferPointer
    public var offset: Int

    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes
        offset = 0
    }

    @inlinable
    public var isAtEnd: Bool { offset == base.count }

    @inlinable
    public var remaining: Int { base.count - offset }

    @inlinable
    public mutating func byte() throws(MalformedBytes) -> UInt8 {
        guard offset < base.count else { throw MalformedBytes("cut short", at: offset) }
        defer { offset += 1 }
        return base[offset]
    }

    @inlinable
    public mutating func varint() throws(MalformedBytes) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63, next > 1 { throw MalformedBytes("varint over 64 bits", at: offset) }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 {
                if next == 0, shift > 0 { throw MalformedBytes("varint is not the shortest", at: offset) }
                return value
            }
            shift += 7
        }
    }

    /// A varint that must not exceed `limit`.
    @inlinable
    public mutating func count(upTo limit: Int) throws(MalformedBytes) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw MalformedBytes("\(value) is over the limit of \(limit)", at: offset) }
        return Int(value)
    }

    @inlinable
    public mutating func signed() throws(MalformedBytes) -> Int64 { Int64(zigzag: try varint()) }

    @inlinable
    public mutating func fixed64() throws(MalformedBytes) -> UInt64 {
        let at = try skip(8)
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// Passes over `length` bytes and says where they began.
    @inlinable
    public mutating func skip(_ length: Int) throws(MalformedBytes) -> Int {
        guard length >= 0, length <= remaining else { throw MalformedBytes("cut short", at: offset) }
        defer { offset += length }
        return offset
    }

    @inlinable
    public mutating func raw(_ length: Int) throws(MalformedBytes) -> UnsafeRawBufferPointer {
        let at = try skip(length)
        return UnsafeRawBufferPointer(rebasing: base[at..<at + length])
    }

    @inlinable
    public mutating func prefixed(upTo limit: Int) throws(MalformedBytes) -> UnsafeRawBufferPointer {
        try raw(try count(upTo: limit))
    }
}
