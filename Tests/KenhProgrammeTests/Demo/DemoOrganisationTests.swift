import Foundation
import KenhProgramme
import KenhStore
import Testing

@Suite struct DemoOrganisationTests {
    static let seeds: [UInt64] = [0, 1, 2022, .max]

    private func rows(_ table: String, _ seed: UInt64) -> [DemoRow] {
        DemoOrganisation(seed: seed).rows.filter { $0.table == table }
    }

    @Test("it has the units, plans, targets, items and entries of the design", arguments: seeds)
    func counts(seed: UInt64) {
        let counts = Dictionary(grouping: DemoOrganisation(seed: seed).rows, by: \.table).mapValues(\.count)
        #expect(counts["unit"] == 7 && counts["sub_plan"] == 6 && counts["target"] == 10)
        #expect(counts["sub_plan_target"] == 10 && counts["work_item"] == 140 && counts["progress_entry"] == 600)
        #expect(counts["review"] == 99)
        // Nobody attaches a file in it.
        #expect(Set(counts.keys) == Set(Programme.schema.tables.map(\.name)).subtracting(["attachment"]))
    }

    @Test("of 105 monthly reviews 86 are on time, 13 late and 6 missing", arguments: seeds)
    func reviews(seed: UInt64) throws {
        let submitted = rows("transition", seed).filter {
            $0["subject_kind"] == "review" && $0["to_state"] == "submitted"
        }
        let due = Dictionary(uniqueKeysWithValues: rows("review", seed).map { ($0.id, $0["due"].string ?? "") })
        let late = try submitted.filter { row in
            let due = try #require(due[row["subject"].string ?? ""])
            return try #require(row["effective_date"].string) > due
        }
        let months = DemoOrganisation.firstReview.through(DemoOrganisation.lastReview)
        let expected = DemoOrganisation.cells.flatMap { cell in months.map { "\(cell)/\($0)" } }
        #expect(expected.count == 105)
        #expect(Set(expected).subtracting(due.keys).count == 6 && due["CB5/2022-05"] == nil)
        #expect(late.count == 13 && submitted.count - late.count == 86)
    }

    @Test("every roll-up method has a target and every state an item", arguments: seeds)
    func variety(seed: UInt64) {
        #expect(Set(rows("target", seed).map { $0["method"].string }) == Set(RollUpMethod.allCases.map(\.rawValue)))
        let moves = rows("transition", seed).map { row in
            Transition(
                id: row.id, subject: row["subject"].string ?? "", from: "", to: row["to_state"].string ?? "",
                after: (row["after"].string ?? "").split(separator: " ").map(String.init))
        }
        let bySubject = Dictionary(grouping: moves, by: \.subject)
        let states = rows("work_item", seed).map { ItemState.current(of: bySubject[$0.id] ?? []) }
        #expect(Set(states.map(\.state)) == Set(ItemState.allCases))
        #expect(states.filter(\.isContested).isEmpty)
    }

    @Test("the same seed gives the same rows, another seed others")
    func deterministic() {
        #expect(DemoOrganisation(seed: 7).rows == DemoOrganisation(seed: 7).rows)
        #expect(DemoOrganisation(seed: 7).rows != DemoOrganisation(seed: 8).rows)
        // Of the two sequences that every machine has to draw alike.
        var random = SeededRandom(seed: 0)
        #expect([random.next(), random.next()] == [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4])
    }

    @Test("ids are unique, and every column is one of the schema", arguments: seeds)
    func shape(seed: UInt64) throws {
        for (name, rows) in Dictionary(grouping: DemoOrganisation(seed: seed).rows, by: \.table) {
            #expect(Set(rows.map(\.id)).count == rows.count)
            let table = try #require(Programme.schema.table(name))
            let channelColumn = if case .column(let column) = table.channel { [column] } else { [String]() }
            let known = Set(table.columns.map(\.name) + channelColumn)
            for row in rows {
                #expect(known.isSuperset(of: row.values.map(\.column)))
                #expect(channelColumn.allSatisfy { row[$0] != .null })
            }
        }
    }

    @Test("links lead to rows that exist, and no row is written after the clock", arguments: seeds)
    func links(seed: UInt64) {
        let all = DemoOrganisation(seed: seed).rows
        let ids = Dictionary(grouping: all, by: \.table).mapValues { Set($0.map { Value.text($0.id) }) }
        let links = [
            "unit": "unit", "parent": "unit", "sub_plan": "sub_plan", "target": "target", "item": "work_item",
            "after": "transition",
        ]
        for row in all {
            #expect(row.date >= DemoOrganisation.termStart && row.date <= DemoOrganisation.today)
            for (column, table) in links where row[column] != .null {
                #expect(ids[table]?.contains(row[column]) == true, "\(row.table) \(row.id) \(column)")
            }
        }
    }

    @Test("a row is written after what it names", arguments: seeds)
    func order(seed: UInt64) {
        var seen: Set<Value> = []
        for row in DemoOrganisation(seed: seed).rows {
            for column in ["item", "after", "subject"] where row[column] != .null {
                #expect(seen.contains(row[column]), "\(row.table) \(row.id) \(column)")
            }
            seen.insert(.text(row.id))
        }
    }

    @Test("each item and entry is in the channel of a plan that its unit carries", arguments: seeds)
    func carriers(seed: UInt64) {
        let carried = Set(rows("sub_plan_unit", seed).map(\.id))
        for row in rows("work_item", seed) + rows("progress_entry", seed) {
            let channel = row["channel"].string ?? ""
            #expect(
                channel.hasPrefix("plan/") && carried.contains("\(channel.dropFirst(5))/\(row["unit"].string ?? "")"))
        }
    }

    @Test("installing writes every row")
    func installing() throws {
        let scratch = try ScratchStore.withOrganisation(seed: 3)
        for (table, rows) in Dictionary(grouping: DemoOrganisation(seed: 3).rows, by: \.table) {
            #expect(try scratch.count("SELECT count(*) AS n FROM \(table)") == Int64(rows.count))
        }
        let row = try #require(DemoOrganisation(seed: 3).rows.first { $0.id == DemoMonth.jointSeminar })
        let stored = try #require(try scratch.store.rows("SELECT * FROM work_item WHERE id = ?", [.text(row.id)]).first)
        for (column, value) in row.values { #expect(stored[column] == value) }
    }
}
