/// One installation's writing life: 16 random bytes. A restored or cloned laptop takes a new one.
public struct ReplicaID: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public static let byteCount = 16

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Nil unless there are exactly 16 bytes.
    @inlinable
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var rest = bytes.makeIterator()
        self.init(high: UInt64(nextBigEndian: &rest), low: UInt64(nextBigEndian: &rest))
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> ReplicaID {
        ReplicaID(high: generator.next(), low: generator.next())
    }

    public var bytes: [UInt8] { high.bigEndianBytes + low.bigEndianBytes }

    /// Order of the bytes, which every node computes the same.
    @inlinable
    public static func < (a: ReplicaID, b: ReplicaID) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }
}

extension ReplicaID: CustomStringConvertible {
    /// The first eight hex digits, enough to tell an organisation's replicas apart in a log line.
    public var description: String { String(bytes.hex.prefix(8)) }
}
