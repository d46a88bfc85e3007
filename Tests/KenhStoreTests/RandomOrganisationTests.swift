import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Cells that write whatever they like, hear of each other in part and late, and agree once all has arrived.
@Suite struct RandomOrganisationTests {
    @Test(
        "whatever cells wrote, they agree down to the last value, and with a rebuild from the blocks", arguments: 0..<8)
    func agree(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let organisation = try OrganisationFixture(["A", "B"], seed: seed)
        try organisation.add("newer", schema: SchemaUpgradeTests.later)
        let skew = Int64(random.below(2_000_000_000)) - 1_000_000_000
        let wrong = ManualClock(milliseconds: OrganisationFixture.start + skew)
        try organisation.add("wrong clock", clock: wrong)
        for step in 1...80 {
            let cell = organisation.cells[random.below(organisation.cells.count)]
            organisation.clock.advance(milliseconds: Int64(random.below(100_000)))
            wrong.advance(milliseconds: Int64(random.below(100_000)))
            try take(step, at: cell, of: organisation, &random)
        }
        try organisation.exchange(deep: true)
        try organisation.exchange(deep: false)
        for cell in organisation.cells where cell.name != "newer" { try cell.upgrade(to: SchemaUpgradeTests.later) }
        try organisation.check(deep: true)
        #expect(try organisation.everywhere { try Set($0.store.conflicts().map { "\($0.table) \($0.id)" }) } != nil)
        #expect(try organisation.everywhere { try rows(of: $0) } != nil)
    }

    private func take(
        _ step: Int, at cell: CellFixture, of organisation: OrganisationFixture, _ random: inout SeededGenerator
    ) throws {
        switch random.below(10) {
        case 0: try organisation.send(cell)
        case 1: try organisation.receive(cell, upTo: random.below(4))
        case 2: try cell.seal()
        case 3: try settle(cell, &random)
        default: try write(step, at: cell, &random)
        }
    }

    private func write(_ step: Int, at cell: CellFixture, _ random: inout SeededGenerator) throws {
        let id = Value.text("r\(random.below(4))")
        let (text, number) = (Value.text("v\(random.below(3))"), Value.integer(Int64(random.below(3))))
        let channel = Value.text("plan/\(random.below(3))")
        let officer = random.pick([nil, "an", "bình"]) ?? nil
        let taskInsert = "INSERT OR IGNORE INTO task(id, channel, title, points) VALUES(?, ?, ?, ?)"
        switch random.below(12) {
        case 0, 1: try cell.sql("INSERT OR REPLACE INTO item(id, title, contact) VALUES(?, ?, ?)", [id, text, text])
        case 2: try cell.sql("INSERT OR IGNORE INTO item(id, amount) VALUES(?, ?)", [id, number])
        case 3:
            try cell.sql("UPDATE item SET title = ?, amount = ? WHERE id = ?", [text, number, id], officer: officer)
        case 4: try cell.sql("UPDATE item SET contact = ?, note = ?", [text, text])
        case 5: try cell.delete("item", id)
        case 6, 7:
            // The same id in another channel is refused while this one is shown, and ignored by neither.
            if try !cell.isShown("task", id) { try cell.sql(taskInsert, [id, channel, text, number]) }
        case 8: try cell.update("task", id, "title", text, officer: officer)
        case 9: try cell.delete("task", id)
        case 10 where cell.name == "newer":
            try cell.sql("UPDATE item SET colour = ?, size = ? WHERE id = ?", [text, number, id])
        case 11 where cell.name == "newer":
            try cell.sql(
                "INSERT OR REPLACE INTO stone(id, place, weight) VALUES('s', 'quarry/1', ?)", [.real(Double(step))])
        default: try cell.update("item", id, "status", text)
        }
    }

    private func settle(_ cell: CellFixture, _ random: inout SeededGenerator) throws {
        guard let conflict = try random.pick(cell.store.conflicts()) else { return }
        switch conflict.kind {
        case .keptDespiteDelete: try cell.store.keep(table: conflict.table, id: conflict.id)
        case .values(let column, let shown, let losers):
            let value = random.pick([shown.value] + losers.map(\.value)) ?? .null
            try cell.store.resolve(table: conflict.table, id: conflict.id, column: column, to: value)
        }
    }

    private func rows(of cell: CellFixture) throws -> [String] {
        try ["item", "task", "stone"].flatMap { table in
            try cell.store.rows("SELECT * FROM \(table) ORDER BY id").map { row in
                row.columns.sorted().map { "\($0)=\(row[$0])" }.joined(separator: ",")
            }
        }
    }
}
