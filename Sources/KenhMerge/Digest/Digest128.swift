/// An order-independent 128-bit sum over everything that nodes must agree on. Adding and taking away are exact
/// opposites, so a merge updates it by the rows that it touched. It finds faults and divergence, not forgery: forged
/// blocks are refused by signature before they reach it.
@frozen
public struct Digest128: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public static let zero = Digest128(high: 0, low: 0)

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable
    public static func + (a: Digest128, b: Digest128) -> Digest128 {
        Digest128(high: a.high &+ b.high, low: a.low &+ b.low)
    }

    @inlinable
    public static func - (a: Digest128, b: Digest128) -> Digest128 {
        Digest128(high: a.high &- b.high, low: a.low &- b.low)
    }

    @inlinable
    public static func += (a: inout Digest128, b: Digest128) { a = a + b }
    @inlinable
    public static func -= (a: inout Digest128, b: Digest128) { a = a - b }

    public var bytes: [UInt8] { high.bigEndianBytes + low.bigEndianBytes }

    @inlinable
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var rest = bytes.makeIterator()
        self.init(high: UInt64(nextBigEndian: &rest), low: UInt64(nextBigEndian: &rest))
    }
}

extension Digest128: CustomStringConvertible {
    public var description: String { bytes.hex }
}

/// Two lanes of 64-bit multiply-and-fold over words; the constants are SplitMix64's (Steele et al., 2014).
@frozen
public struct DigestHasher: Sendable {
    @usableFromInline var a: UInt64
    @usableFromInline var b: UInt64

    @inlinable
    public init() {
        a = 0x9E37_79B9_7F4A_7C15
        b = 0xC2B2_AE3D_27D4_EB4F
    }

    /// Goes on from a value that was computed before.
    @inlinable
    public init(_ seed: Digest128) {
        a = seed.high
        b = seed.low
    }

    @inlinable
    public mutating func word(_ value: UInt64) {
        a = Self.mix(a ^ value)
        b = Self.mix(b &+ value.byteSwapped &+ 0x9E37_79B9_7F4A_7C15)
    }

    @inlinable
    public mutating func bytes(_ value: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + 8 <= value.count {
            word(UInt64(littleEndian: value.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < value.count {
            rest = rest << 8 | UInt64(value[offset])
            offset += 1
        }
        word(rest)
        word(UInt64(value.count))
    }

    public mutating func bytes(_ value: [UInt8]) { value.withUnsafeBytes { bytes($0) } }

    @inlinable
    public var digest: Digest128 { Digest128(high: a, low: b) }

    @inlinable
    static func mix(_ value: UInt64) -> UInt64 {
        var z = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
