import KenhMerge

/// One write of a row's state, with all its values.
public struct SnapshotWrite: Sendable, Equatable {
    public var dot: SnapshotDot
    public var isRemoved: Bool
    public var isDelta: Bool
    /// It inserted the row.
    public var isInsert: Bool
    /// As it counts: no claim beyond what is tolerated.
    public var clock: HybridClock
    /// Columns by their numbers in the chunk's table, ascending, and their values.
    public var values: [(column: Int, value: Value)]

    public init(
        dot: SnapshotDot, isRemoved: Bool, isDelta: Bool, isInsert: Bool, clock: HybridClock,
        values: [(column: Int, value: Value)]
    ) {
        self.dot = dot
        self.isRemoved = isRemoved
        self.isDelta = isDelta
        self.isInsert = isInsert
        self.clock = clock
        self.values = values
    }

    public static func == (a: SnapshotWrite, b: SnapshotWrite) -> Bool {
        a.dot == b.dot && a.isRemoved == b.isRemoved && a.isDelta == b.isDelta && a.isInsert == b.isInsert
            && a.clock == b.clock && a.values.map(\.column) == b.values.map(\.column)
            && a.values.map(\.value) == b.values.map(\.value)
    }
}

/// What stands at one place of a snapshot.
public enum SnapshotItem: Sendable, Equatable {
    /// The row that is inserted there, with what counts in it. Without writes it says only which row an insert was of,
    /// whose state stands elsewhere or nowhere.
    case row(table: Int, id: [UInt8], writes: [SnapshotWrite])
    /// What a change named that was struck.
    case struck(named: [SnapshotDot])
}
