import KenhMerge
import KenhProtocol

/// Scans all row states: sums the digests anew, and compares what should be shown with the lines of the tables.
struct RowVerifier {
    private let core: StoreCore
    private let unsealed: UnsealedRows
    private var sums: [Int: Digest128] = [:]

    private struct Row {
        let table: LocalTable
        let id: Value
        var states: [Int: RowState] = [:]

        var name: String { "row \(id) of \(table.name)" }
    }

    init(core: StoreCore) throws(StoreError) {
        self.core = core
        unsealed = try UnsealedRows(core)
    }

    mutating func run(_ report: inout VerifyReport) throws {
        try scan(&report)
        for channel in core.channels.all where (sums[channel.number] ?? .zero) != channel.digest {
            report.add("the digest of channel \(channel.name) is not that of its rows")
        }
        for table in core.catalogue.tables.values.sorted(by: { $0.number < $1.number }) where table.declared != nil {
            try findStrays(table, &report)
        }
    }

    private mutating func scan(_ report: inout VerifyReport) throws {
        let read = try core.sql("SELECT tbl, id, ch, state FROM kenh_row ORDER BY tbl, id, ch")
        defer { read.reset() }
        var row: Row?
        while try read.step() {
            guard let table = core.catalogue.tables[Int(read.int(0))] else {
                report.add("row \(read.value(1)) belongs to no table")
                continue
            }
            let id = read.value(1)
            if row?.table !== table || row?.id != id {
                if let row { try check(row, &report) }
                row = Row(table: table, id: id)
            }
            do { row?.states[Int(read.int(2))] = try state(read, table, id) } catch let error as StoreError {
                report.add("row \(id) of \(table.name): \(error.message)")
                // Its line can be compared with nothing.
                row = nil
            }
        }
        if let row { try check(row, &report) }
    }

    private mutating func state(_ read: Statement, _ table: LocalTable, _ id: Value) throws -> RowState {
        var state = RowState()
        try RowTable.unpack(read.bytes(3), of: table, into: &state)
        let seed = id.bytes.withUnsafeBytes { table.rowSeed($0) }
        let digest = try state.digest(row: seed, columns: table.columnSeeds, place: core.index.place(of:))
        sums[Int(read.int(2)), default: .zero] += digest
        return state
    }

    private func check(_ row: Row, _ report: inout VerifyReport) throws {
        for (channel, state) in row.states.sorted(by: { $0.key < $1.key }) where state.mayConflict && state.isShown {
            guard try !isListed(row, channel) else { continue }
            report.add("\(row.name) may have a conflict and is not listed")
        }
        guard row.table.declared != nil, !unsealed.contains(row.table, row.id) else { return }
        let id = row.id.bytes
        let shown = id.withUnsafeBytes { core.shownChannel(row.states, table: row.table, id: $0) }
        let line = TableLine(core: core, table: row.table)
        let values = try line.read(id: id)
        switch (shown, values != nil) {
        case (nil, false): break
        case (nil, true): report.add("\(row.name) is shown and should not be")
        case (.some, false): report.add("\(row.name) is not shown")
        case (.some(let channel), true):
            checkSums(row, row.states[channel] ?? RowState(), values ?? [], &report)
            guard row.table.channelColumn != nil, try line.channel(id: id) != channel else { return }
            report.add("\(row.name) is shown in another channel than its own")
        }
    }

    /// A counter's base and additions are in the state, so that the table's sum can be checked without its blocks.
    private func checkSums(_ row: Row, _ state: RowState, _ line: [Value], _ report: inout VerifyReport) {
        state.deltaColumns.intersection(row.table.shown).forEach { column in
            let base: Value? =
                if let winner = state.winner(column, in: core.index) {
                    state.writes[winner].heldValue(column)
                } else {
                    row.table.columns[column].declared?.defaultValue
                }
            let sum = Value.integer((base ?? .null).counted &+ state.deltaSum(column))
            guard base == nil || row.table.types[column] == .integer && row.table.shownValue(column, in: line) != sum
            else { return }
            report.add("\(row.name) does not show the sum of \(row.table.columns[column].name)")
        }
    }

    private func isListed(_ row: Row, _ channel: Int) throws(StoreError) -> Bool {
        let read = try core.sql("SELECT 1 FROM kenh_conflict WHERE tbl = ? AND id = ? AND ch = ?")
        defer { read.reset() }
        read.bind(1, row.table.number)
        read.bind(2, copying: row.id)
        read.bind(3, channel)
        return try read.step()
    }

    private func findStrays(_ table: LocalTable, _ report: inout VerifyReport) throws(StoreError) {
        let name = quoted(table.name)
        let read = try core.sql(
            "SELECT id FROM \(name) WHERE NOT EXISTS (SELECT 1 FROM kenh_row WHERE tbl = ? AND id = \(name).id)")
        defer { read.reset() }
        read.bind(1, table.number)
        while try read.step() {
            let id = read.value(0)
            if unsealed.contains(table, id) { continue }
            report.add("row \(id) of \(table.name) was written unseen by Kenh and is here alone")
        }
    }
}

/// Rows whose lines are ahead of their states, because their changes wait to be sealed.
struct UnsealedRows {
    private struct Key: Hashable {
        let table: Int
        let id: Value
    }

    private var keys: Set<Key> = []

    init(_ core: StoreCore) throws(StoreError) {
        let read = try core.sql("SELECT DISTINCT tbl, id FROM kenh_pending")
        defer { read.reset() }
        while try read.step() { keys.insert(Key(table: Int(read.int(0)), id: read.value(1))) }
    }

    func contains(_ table: LocalTable, _ id: Value) -> Bool { keys.contains(Key(table: table.number, id: id)) }
}
