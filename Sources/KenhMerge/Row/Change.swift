/// What a change does to its row.
@frozen
public enum ChangeKind: UInt8, Sendable {
    case insert = 0
    case update = 1
    case delete = 2
    /// Adds integers to counters. It names nothing, and every node counts it once.
    case add = 3
}

/// One row touched by one statement, as the merge sees it: stamps without values.
@frozen
public struct Change: Sendable {
    public var dot: Dot
    /// The effective clock: min(claimed, accepted + tolerance).
    public var clock: HybridClock
    public var kind: ChangeKind
    /// Columns whose values it carries; empty for a delete.
    public var columns: ColumnSet
    /// Where the caller finds the values again, or ``Write/inTable`` when the table already shows them.
    public var source: Int32

    @inlinable
    public init(dot: Dot, clock: HybridClock, kind: ChangeKind, columns: ColumnSet, source: Int32) {
        self.dot = dot
        self.clock = clock
        self.kind = kind
        self.columns = columns
        self.source = source
    }

    /// The columns that the change writes, existence included where it inserts.
    @inlinable
    public var written: ColumnSet { kind == .insert ? columns.union(.existence) : columns }
}
