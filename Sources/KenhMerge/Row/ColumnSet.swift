/// Columns of one table as this node numbers them, and existence, which is a column of its own.
@frozen
public struct ColumnSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let limit = 63
    @inlinable public static var existence: ColumnSet { ColumnSet(rawValue: 1 << 63) }

    @inlinable
    public static func column(_ index: Int) -> ColumnSet { ColumnSet(rawValue: 1 << UInt64(index)) }

    /// The first `count` columns.
    @inlinable
    public static func first(_ count: Int) -> ColumnSet { ColumnSet(rawValue: (1 << UInt64(count)) - 1) }

    @inlinable
    public func contains(column index: Int) -> Bool { rawValue >> UInt64(index) & 1 == 1 }

    @inlinable
    public var count: Int { rawValue.nonzeroBitCount }

    /// Runs `body` for each column in ascending order, existence (63) last.
    @inlinable
    public func forEach<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
        var rest = rawValue
        while rest != 0 {
            try body(rest.trailingZeroBitCount)
            rest &= rest - 1
        }
    }
}
