/// A value kept in the row state because the table does not show it.
public struct HeldValue: Sendable, Equatable {
    public let column: UInt8
    public var value: Value

    public init(column: UInt8, value: Value) {
        self.column = column
        self.value = value
    }
}

/// A write that still counts in a row: its stamp, the columns in which nobody has superseded it, and the values that
/// the table does not show. An insert of ten columns is one write with one stamp, not ten.
public struct Write: Sendable, Equatable {
    public var dot: Dot
    public var clock: HybridClock
    /// A delete saw this write.
    public var isRemoved: Bool
    /// It adds to its columns instead of setting them. Its values are always held, never in the table.
    public var isDelta: Bool
    public var columns: ColumnSet
    /// The incoming change whose values have not been placed yet, or ``inTable``.
    public var source: Int32
    public var held: [HeldValue]

    public static let inTable: Int32 = -1

    @inlinable
    public init(
        dot: Dot, clock: HybridClock, isRemoved: Bool = false, isDelta: Bool = false, columns: ColumnSet,
        source: Int32 = Write.inTable, held: [HeldValue] = []
    ) {
        self.dot = dot
        self.clock = clock
        self.isRemoved = isRemoved
        self.isDelta = isDelta
        self.columns = columns
        self.source = source
        self.held = held
    }

    /// The value kept here for a column; nil when the table or the incoming change has it.
    @inlinable
    public func heldValue(_ column: Int) -> Value? {
        held.first { Int($0.column) == column }?.value
    }

    /// Whether the table is the only place that has this write's value for the column.
    @inlinable
    package func isInTable(_ column: Int) -> Bool {
        source == Self.inTable && (held.isEmpty || heldValue(column) == nil)
    }

    /// Order shown to people, the same on every node: effective clock, replica, counter, block hash.
    @inlinable
    public func isBelow(_ other: Write, in order: some DotOrder) -> Bool {
        if clock != other.clock { return clock < other.clock }
        if dot.branch == other.dot.branch { return dot.counter < other.dot.counter }
        let (mine, theirs) = (order.replica(ofBranch: dot.branch), order.replica(ofBranch: other.dot.branch))
        if mine != theirs { return mine < theirs }
        if dot.counter != other.dot.counter { return dot.counter < other.dot.counter }
        return order.blockHash(of: dot) < order.blockHash(of: other.dot)
    }
}
