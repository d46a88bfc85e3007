import KenhMerge
import KenhTesting

extension SimulatedNode {
    private static let rowSeeds = DigestHasher.name("table")
    private static let columnSeeds = (0..<History.columnCount).map { DigestHasher.name("c\($0)") }

    func digest(of state: RowState, row: String) throws(BrokenLaw) -> Digest128 {
        do {
            let seed = Array(row.utf8).withUnsafeBytes { DigestHasher.row(table: Self.rowSeeds, id: $0) }
            return try state.digest(row: seed, columns: Self.columnSeeds) { try names.place(of: $0) }
        } catch {
            throw BrokenLaw("\(error)")
        }
    }

    func checkDigest() throws(BrokenLaw) {
        var scan = Digest128.zero
        for (row, state) in states { scan += try digest(of: state, row: row) }
        try BrokenLaw.unless(scan == digest, "the digest kept up at each merge is not the scanned one")
    }

    /// Compares one row with the model in everything that can be seen of it.
    func check(_ row: String) throws(BrokenLaw) {
        let (state, expected) = (state(row), model.row(row))
        let actual = try stamps(of: row)
        try BrokenLaw.unless(actual == expected, "row \(row) is\n\(actual)\nbut the model says\n\(expected)")
        try BrokenLaw.unless(state.isShown == expected.isShown, "row \(row) is shown: \(state.isShown)")
        try checkLine(row, expected)
        try checkConflicts(state, row: row, expected)
        try BrokenLaw.unless(try Self.repacked(state) == state, "row \(row) is another one after packing")
    }

    private func checkLine(_ row: String, _ expected: ModelRow) throws(BrokenLaw) {
        let line = expected.line?.filter { tableColumns.contains(column: $0.key) }
        try BrokenLaw.unless(
            table[row] == line,
            "the table shows \(String(describing: table[row])), the model \(String(describing: line))")
    }

    private func checkConflicts(_ state: RowState, row: String, _ expected: ModelRow) throws(BrokenLaw) {
        var conflicts: Set<ModelConflict> = []
        for conflict in state.conflicts(order: names) {
            switch conflict {
            case .keptDespiteDelete: conflicts.insert(.keptDespiteDelete)
            case .column(let column, let shown, let losers):
                var lost: [ModelName] = []
                for loser in losers { lost.append(try names.name(of: state.writes[loser].dot)) }
                conflicts.insert(
                    .column(column, shown: try names.name(of: state.writes[shown].dot), losers: lost))
            }
        }
        try BrokenLaw.unless(conflicts == expected.conflicts, "row \(row) has the conflicts \(conflicts)")
        try BrokenLaw.unless(conflicts.isEmpty || state.mayConflict, "row \(row) did not admit its conflicts")
    }

    /// The row as the model would put it, with the values from where the state says that they are.
    func stamps(of row: String) throws(BrokenLaw) -> ModelRow {
        let state = state(row)
        var stamps: [ModelStamp] = []
        for (index, write) in state.writes.enumerated() {
            try BrokenLaw.unless(write.source == Write.inTable, "\(write.dot) was not placed")
            try BrokenLaw.unless(!write.columns.isEmpty, "\(write.dot) counts nowhere any more")
            let name = try names.name(of: write.dot)
            for column in (0..<64) where write.columns.contains(column: column) {
                let value = try column == 63 ? Value?.none : value(of: index, column, in: state, row: row)
                stamps.append(
                    ModelStamp(
                        column: column == 63 ? ModelStamp.existence : column, name: name, clock: write.clock,
                        isRemoved: write.isRemoved, isDelta: write.isDelta, value: value))
            }
        }
        return ModelRow(stamps: stamps)
    }

    private func value(of index: Int, _ column: Int, in state: RowState, row: String) throws(BrokenLaw) -> Value {
        let inTable =
            table[row] != nil && tableColumns.contains(column: column)
            && state.winner(column, in: names) == index && !state.deltaColumns.contains(column: column)
        let held = state.writes[index].heldValue(column)
        try BrokenLaw.unless(inTable == (held == nil), "row \(row), column \(column): value in two places or none")
        guard let value = inTable ? table[row]?[column] : held else {
            throw BrokenLaw("row \(row), column \(column): the value is gone")
        }
        return value
    }

    static func repacked(_ state: RowState) throws(BrokenLaw) -> RowState {
        var writer = ByteWriter()
        state.pack(into: &writer)
        do {
            return try RowState(packed: writer.bytes)
        } catch {
            throw BrokenLaw("packed bytes are refused: \(error)")
        }
    }
}
