/// What has to happen to a row's table line so that it shows the winners again.
public struct Settlement: Sendable, Equatable {
    public enum Action: Sendable { case none, insert, update, delete }

    public var action: Action
    /// Columns whose value in the table belongs to a write that is no longer shown: read them before changing the line.
    public var fetch: ColumnSet
    /// Columns to be put into the table, in ascending order.
    public var put: [Placement]

    @inlinable
    init(action: Action, fetch: ColumnSet, put: [Placement]) {
        self.action = action
        self.fetch = fetch
        self.put = put
    }
}

public struct Placement: Sendable, Equatable {
    public var column: UInt8
    /// The write that has the column added up: its value is the base. Else its value is the column's.
    public var isSum: Bool
    /// By index the write that has the value, or ``noWrite``.
    public var write: Int32

    /// Nobody wrote the counter's base: it is the column's default.
    public static let noWrite: Int32 = -1

    @inlinable
    init(column: UInt8, isSum: Bool = false, write: Int32) {
        self.column = column
        self.isSum = isSum
        self.write = write
    }
}

extension RowState {
    /// Compares the writes with what the table shows.
    ///
    /// - Parameters:
    ///   - wasShown: whether the table has the row now.
    ///   - tableColumns: the columns that the table has; values of others always stay in the state.
    @inlinable
    public func settle(wasShown: Bool, tableColumns: ColumnSet, order: some DotOrder) -> Settlement {
        let shown = isShown
        var result = Settlement(action: .none, fetch: [], put: [])
        tableColumns.forEach { column in
            let winner = shown ? self.winner(column, in: order) : nil
            var isSum = false
            for i in writes.indices where writes[i].columns.contains(column: column) {
                if writes[i].isDelta {
                    isSum = true
                    continue
                }
                let inTable = writes[i].isInTable(column)
                if i == winner {
                    if !inTable || !wasShown {
                        result.put.append(Placement(column: UInt8(column), write: Int32(i)))
                    }
                } else if inTable, wasShown {
                    result.fetch.insert(.column(column))
                }
            }
            if isSum, shown { settleSum(column, winner: winner, wasShown: wasShown, in: &result) }
        }
        if shown {
            result.action = wasShown ? (result.put.isEmpty ? .none : .update) : .insert
        } else if wasShown {
            result.action = .delete
        }
        return result
    }

    /// A column with deltas is put each time, since no single write tells whether the table shows them all. The table
    /// has no single write's value then, so the base moves into the state.
    @usableFromInline
    func settleSum(_ column: Int, winner: Int?, wasShown: Bool, in result: inout Settlement) {
        if result.put.last?.column == UInt8(column) { result.put.removeLast() }
        result.put.append(
            Placement(column: UInt8(column), isSum: true, write: winner.map(Int32.init) ?? Placement.noWrite))
        if wasShown, let winner, writes[winner].isInTable(column) { result.fetch.insert(.column(column)) }
    }

    /// Moves values to where they belong after a settlement: what is not shown is held here, what is shown is not.
    /// Deltas and the bases of columns that have some are held whatever the table shows.
    ///
    /// - Parameters:
    ///   - incoming: the value of a change of this batch, by ``Change/source`` and column.
    ///   - fetched: the value that the table showed before it was changed.
    @inlinable
    public mutating func place(
        tableColumns: ColumnSet, order: some DotOrder, incoming: (Int32, Int) -> Value, fetched: (Int) -> Value
    ) {
        let shown = isShown
        let alone = tableColumns.subtracting(deltaColumns)
        for i in writes.indices {
            var held: [HeldValue] = []
            writes[i].columns.subtracting(.existence).forEach { column in
                if shown, alone.contains(column: column), winner(column, in: order) == i { return }
                let write = writes[i]
                let value =
                    write.heldValue(column)
                    ?? (write.source == Write.inTable ? fetched(column) : incoming(write.source, column))
                held.append(HeldValue(column: UInt8(column), value: value))
            }
            writes[i].held = held
            writes[i].source = Write.inTable
        }
    }

    /// The common end of a merge, when every value of the batch went to the table: nothing is left to be held.
    public mutating func placeAllInTable() {
        for i in writes.indices { writes[i].source = Write.inTable }
    }
}
