/// Counters: a column shows its base, which is the winner of the writes that set it, plus all deltas that count in it.
/// Sums wrap at 64 bits, so that every node comes to the same one in whatever order it adds.
extension RowState {
    /// The columns in which a delta counts.
    @inlinable
    public var deltaColumns: ColumnSet {
        var columns: ColumnSet = []
        for write in writes where write.isDelta { columns.formUnion(write.columns) }
        return columns
    }

    /// The sum of a column's deltas, removed ones too: whoever deleted the row did not take them back.
    ///
    /// - Parameter incoming: the value of a change of this batch, by ``Change/source`` and column.
    public func deltaSum(_ column: Int, incoming: (Int32, Int) -> Value = { _, _ in .null }) -> Int64 {
        var sum: Int64 = 0
        for write in writes where write.isDelta && write.columns.contains(column: column) {
            sum &+= (write.heldValue(column) ?? incoming(write.source, column)).counted
        }
        return sum
    }

    /// Holds the bases that the table has only together with their deltas. Asked for where deltas went through the
    /// table before the state knew of them.
    ///
    /// - Parameter shown: the value of a column that the table shows, or showed until the row was deleted.
    public mutating func holdBases(shown: (Int) -> Value) {
        deltaColumns.forEach { column in
            for i in writes.indices where writes[i].columns.contains(column: column) && !writes[i].isDelta {
                guard writes[i].isInTable(column) else { continue }
                writes[i].hold(column, .integer(shown(column).counted &- deltaSum(column)))
            }
        }
    }
}

extension Value {
    /// What a counter makes of the value: an integer is itself, anything else counts as 0.
    @inlinable
    public var counted: Int64 {
        if case .integer(let x) = self { return x }
        return 0
    }
}

extension Write {
    /// Whether every column has an integer here, as it must in a delta.
    var holdsAllIntegers: Bool {
        var found: ColumnSet = []
        for held in held {
            guard held.value.tag == .integer else { return false }
            found.insert(.column(Int(held.column)))
        }
        return !columns.isEmpty && found == columns && held.count == columns.count
    }

    fileprivate mutating func hold(_ column: Int, _ value: Value) {
        let place = held.firstIndex { Int($0.column) > column } ?? held.endIndex
        held.insert(HeldValue(column: UInt8(column), value: value), at: place)
    }
}
