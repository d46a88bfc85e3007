/// A SHA-256 value. Blocks, log entries and objects are named by it.
public struct Hash256: Hashable, Comparable, Sendable {
    public let words: (UInt64, UInt64, UInt64, UInt64)

    public static let byteCount = 32
    /// The "previous" of the first block of a lane and of the first entry of a log.
    public static let zero = Hash256(0, 0, 0, 0)

    @inlinable
    public init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        words = (a, b, c, d)
    }

    /// Nil unless there are exactly 32 bytes.
    @inlinable
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var rest = bytes.makeIterator()
        self.init(
            UInt64(nextBigEndian: &rest), UInt64(nextBigEndian: &rest), UInt64(nextBigEndian: &rest),
            UInt64(nextBigEndian: &rest))
    }

    public var bytes: [UInt8] {
        words.0.bigEndianBytes + words.1.bigEndianBytes + words.2.bigEndianBytes + words.3.bigEndianBytes
    }

    /// The first 16 bytes, by which a block's replica table pins another block.
    public var prefix: HashPrefix { HashPrefix(words.0, words.1) }

    public static func == (a: Hash256, b: Hash256) -> Bool { a.words == b.words }
    public static func < (a: Hash256, b: Hash256) -> Bool { a.words < b.words }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Hash256: CustomStringConvertible {
    public var description: String { String(bytes.hex.prefix(12)) }
}

/// The first 16 bytes of a block hash.
public struct HashPrefix: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public static let byteCount = 16

    @inlinable
    public init(_ high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var rest = bytes.makeIterator()
        self.init(UInt64(nextBigEndian: &rest), UInt64(nextBigEndian: &rest))
    }

    public var bytes: [UInt8] { high.bigEndianBytes + low.bigEndianBytes }

    public static func < (a: HashPrefix, b: HashPrefix) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }
}
