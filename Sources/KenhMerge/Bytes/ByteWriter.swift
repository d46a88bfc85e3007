/// Appends the little-endian base-128 varints and length-prefixed bytes that row states and block bodies are made of.
@frozen
public struct ByteWriter: Sendable {
    public var bytes: [UInt8]

    @inlinable
    public init() { bytes = [] }

    @inlinable
    public mutating func byte(_ value: UInt8) { bytes.append(value) }

    @inlinable
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    @inlinable
    public mutating func varint(_ value: Int) { varint(UInt64(value)) }

    @inlinable
    public mutating func signed(_ value: Int64) { varint(value.zigzag) }

    @inlinable
    public mutating func fixed64(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    @inlinable
    public mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

    @inlinable
    public mutating func prefixed(_ value: some Collection<UInt8>) {
        varint(value.count)
        bytes.append(contentsOf: value)
    }
}

extension Int64 {
    /// Small magnitudes of either sign become small unsigned numbers.
    @inlinable
    public var zigzag: UInt64 { UInt64(bitPattern: (self << 1) ^ (self >> 63)) }

    @inlinable
    public init(zigzag value: UInt64) {
        self = Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
}
