import KenhMerge
import KenhStore

extension Simulation {
    /// All have the same digests.
    func checkDigests() throws {
        let expected = try centre.node.store().settledDigests()
        for cell in cells {
            let digests = try cell.store().settledDigests()
            guard digests != expected else { continue }
            let channels = Set(digests.keys).union(expected.keys).filter { digests[$0] != expected[$0] }.sorted()
            throw SimulationFailure("cell \(cell.number) and the centre have other digests of \(channels)")
        }
    }

    /// One store is whole, down to the last value, another one in each run: to read all blocks of all would take longer
    /// than the run.
    func checkStores() throws {
        let node = nodes[Int(plan.seed % UInt64(nodes.count))]
        let report = try node.verify(deep: true)
        guard report.isGood else { throw SimulationFailure("node \(node.number): \(report.problems)") }
    }

    /// All tables and lists of conflicts are the same, byte for byte.
    func checkTables() throws {
        for table in SimulatedSchema.second.tables {
            let expected = try lines(table, centre.node)
            for cell in cells {
                let lines = try lines(table, cell)
                guard lines != expected else { continue }
                throw SimulationFailure(
                    "\(table.name) of cell \(cell.number) differs: \(Self.difference(lines, expected))")
            }
        }
        let expected = try conflicts(centre.node)
        for cell in cells {
            let conflicts = try conflicts(cell)
            guard conflicts != expected else { continue }
            throw SimulationFailure(
                "conflicts of cell \(cell.number) differ: \(Self.difference(conflicts, expected))")
        }
    }

    func lines(_ table: Table, _ node: SimulatedNode) throws -> [[Value]] {
        try node.store().rows("SELECT * FROM \"\(table.name)\" ORDER BY id").map { row in
            // A column that came later stands last in one store and not in another.
            row.columns.sorted().map { row[$0] }
        }
    }

    func conflicts(_ node: SimulatedNode) throws -> [String] {
        try node.store().conflicts().map { "\($0)" }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func difference<T: Hashable>(_ a: [T], _ b: [T]) -> String {
        let (extra, missing) = (Set(a).subtracting(b), Set(b).subtracting(a))
        return "it has \(extra.prefix(2)) and lacks \(missing.prefix(2))"
    }

    // MARK: the ledger

    /// Nothing that was committed is lost, and nothing is there that was not committed.
    func checkLedger() throws {
        let store = try centre.node.store()
        let shown = try shownValues(store)
        let losers = Self.losers(try store.conflicts())
        let rejected = try rejected()
        for entry in ledger.entries
        where entry.isCertain && entry.isUnique && !ledger.isMisplaced(entry.place) && !isErased(entry) {
            let isThere = shown[entry.place] == entry.value || losers[entry.place]?.contains(entry.value) == true
            let isKept = rejected.contains { $0.wrote(entry.value, entry.place) }
            guard isThere || isKept || ledger.seen[entry.place]?.contains(entry.value) == true else {
                throw SimulationFailure("\(entry.value) by node \(entry.node) in \(entry.place) is lost")
            }
        }
        for (place, entry) in ledger.entries.enumerated() where isUnwanted(entry, at: place) {
            guard shown[entry.place] != entry.value, losers[entry.place]?.contains(entry.value) != true else {
                throw SimulationFailure(
                    "\(entry.value) in \(entry.place) is there, by node \(entry.node), which was revoked")
            }
        }
        for (place, ghosts) in ledger.ghosts {
            guard let ghost = ghosts.first(where: { shown[place] == $0 || losers[place]?.contains($0) == true }) else {
                continue
            }
            throw SimulationFailure("\(ghost) in \(place) was taken back and is there")
        }
        try checkMeters(shown, rejected)
        try checkHistories()
    }

    /// Counters that were only ever added to show the sum of what was certainly added, and of some of what may have
    /// been lost with a disk or sealed twice by an old one.
    ///
    /// Nor of what was struck, where that was certain.
    private func checkMeters(_ shown: [LedgerPlace: Value], _ rejected: [RejectedChange]) throws {
        var sums: [LedgerPlace: Int64] = [:]
        var doubtful: [LedgerPlace: [Int64]] = [:]
        for entry in ledger.entries where entry.isAddition && entry.place.table == SimulatedSchema.meter.name {
            sums[entry.place, default: 0] += entry.isCertain ? entry.value.counted : 0
            let uncertain = entry.repetitions + (entry.isCertain ? 0 : 1)
            doubtful[entry.place, default: []] += Array(repeating: entry.value.counted, count: uncertain)
        }
        for change in rejected where change.kind == .add && change.table == SimulatedSchema.meter.name {
            for (column, amount) in change.values {
                let place = LedgerPlace(table: change.table, id: change.id, column: column)
                doubtful[place, default: []].append(-amount.counted)
            }
        }
        for (place, sum) in sums {
            let doubtful = doubtful[place] ?? []
            // More would have too many sums.
            guard doubtful.count <= 12 else { continue }
            let possible = doubtful.reduce(into: Set([sum])) { sums, amount in sums.formUnion(sums.map { $0 + amount })
            }
            let value = shown[place] ?? .integer(0)
            guard !possible.contains(value.counted) else { continue }
            throw SimulationFailure("\(place) shows \(value), but \(sum) was added, and \(doubtful) perhaps")
        }
    }

    private func shownValues(_ store: Store) throws -> [LedgerPlace: Value] {
        var shown: [LedgerPlace: Value] = [:]
        for table in SimulatedSchema.second.tables {
            for row in try store.rows("SELECT * FROM \"\(table.name)\"") {
                for column in table.columns {
                    shown[LedgerPlace(table: table.name, id: row["id"], column: column.name)] = row[column.name]
                }
            }
        }
        return shown
    }

    /// The history of one row on each node, other ones in each run, has every value that was ever written there and no
    /// other.
    private func checkHistories() throws {
        var rows: [LedgerPlace: [Ledger.Entry]] = [:]
        for entry in ledger.entries where entry.isCertain {
            rows[Ledger.row(entry.place.table, entry.place.id), default: []].append(entry)
        }
        let names = rows.keys.map { (key: "\($0.table) \($0.id)", row: $0) }
            .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        guard !names.isEmpty else { return }
        for node in nodes {
            let row = names[Int((plan.seed &* 31 &+ UInt64(node.number) &* 7) % UInt64(names.count))].row
            try checkHistory(row, rows[row] ?? [], node)
        }
    }

    private func checkHistory(_ row: LedgerPlace, _ entries: [Ledger.Entry], _ node: SimulatedNode) throws {
        let id = if case .blob(let bytes) = row.id { bytes.hex } else { row.id.string ?? "" }
        var written: Set<LedgerPlace> = []
        var values: [LedgerPlace: Set<Value>] = [:]
        for item in try node.store().history(table: row.table, id: id) {
            for (column, value) in item.values {
                let place = LedgerPlace(table: row.table, id: row.id, column: column)
                written.insert(place)
                values[place, default: []].insert(value)
            }
            for (column, amount) in item.additions {
                let place = LedgerPlace(table: row.table, id: row.id, column: column)
                values[place, default: []].insert(.integer(amount))
            }
        }
        for entry in entries where values[entry.place]?.contains(entry.value) != true && !isErased(entry) {
            throw SimulationFailure(
                "the history on node \(node.number) lacks \(entry.value) by node \(entry.node) in \(entry.place)")
        }
        for place in written {
            guard let ghost = ledger.ghosts[place]?.intersection(values[place] ?? []).first else { continue }
            throw SimulationFailure("\(ghost) in \(place) was taken back and is in the history on node \(node.number)")
        }
    }
}
