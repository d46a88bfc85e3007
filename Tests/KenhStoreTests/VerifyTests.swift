import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct VerifyTests {
    private let organisation: OrganisationFixture
    private var cell: CellFixture { organisation["A"] }

    /// A store with everything in it: conflicts, a deleted and a kept row, several lanes and channels, erasable values.
    init() throws {
        organisation = try OrganisationFixture(["A", "B"])
        let (a, b) = (organisation["A"], organisation["B"])
        for number in 1...5 {
            try a.insert(
                "item", .text("row\(number)"),
                [("title", "t"), ("amount", .integer(Int64(number))), ("contact", "c"), ("data", .blob([1, 2, 3]))])
            try b.insert("task", .text("task\(number)"), [("channel", "plan/1"), ("points", .integer(Int64(number)))])
        }
        try organisation.exchange()
        try a.update("item", "row1", "title", "by A")
        try b.update("item", "row1", "title", "by B")
        try a.delete("item", "row2")
        try b.delete("item", "row3")
        try a.update("item", "row3", "amount", 30)
        try organisation.exchange()
    }

    /// Runs SQL that no trigger sees.
    private func damage(_ sql: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try SQLiteTool.run(".dbconfig enable_trigger off\n.dbconfig defensive off\n\(sql);", on: cell.path)
        #expect(try cell.pending == 0, sourceLocation: sourceLocation)
    }

    @Test("a good store is good, and says how much was looked at")
    func good() throws {
        var steps: [Int] = []
        var totals: Set<Int> = []
        let report = try cell.store.verify(deep: true) { done, total in
            steps.append(done)
            totals.insert(total)
        }
        #expect(report.isGood && report.problems.isEmpty)
        #expect(report.blocks == 4 && report.changes == 15)
        #expect(steps == Array(1...8) && totals == [8])
        #expect(try cell.store.verify().blocks == 4)
    }

    @Test("changes that wait to be sealed are no fault")
    func pending() throws {
        try cell.sql("UPDATE item SET title = 'new'; DELETE FROM task; INSERT INTO item(id) VALUES('fresh')")
        #expect(try cell.store.verify(deep: true).problems == [])
    }

    @Test("a store that has never exchanged anything is good")
    func neverExchanged() throws {
        let fresh = try organisation.add("fresh")
        try fresh.insert("item", "x")
        try fresh.seal()
        #expect(try fresh.store.verify(deep: true).problems == [])
    }

    @Test(
        "a damaged block is found",
        arguments: [
            "header = CAST(substr(header, 1, 50) || x'00' || substr(header, 52) AS BLOB)",
            "header = substr(header, 2)", "header = x''", "body = substr(body, 2)",
            "body = CAST(substr(body, 1, 20) || x'55' || substr(body, 22) AS BLOB)", "body = zeroblob(length(body))",
            "device_signature = zeroblob(64)", "device_signature = x''", "officer_signature = zeroblob(64)",
            "detached = x''", "detached = CAST(substr(detached, 1, 10) || x'55' || substr(detached, 12) AS BLOB)",
            "hash = zeroblob(32)", "ch = ch + 1", "branch = branch + 1", "branch = 77", "branch = NULL",
            "first_counter = first_counter + 1", "first_counter = -5", "changes = 9223372036854775807",
            "is_applied = 0",
            "accepted_at = 0",
        ])
    func damagedBlock(_ change: String) throws {
        try damage("UPDATE kenh_block SET \(change) WHERE seq = 1")
        #expect(!problemsOrError(deep: true).isEmpty)
    }

    @Test("a block that was taken out is found")
    func missingBlock() throws {
        try damage("DELETE FROM kenh_block WHERE seq = 1")
        #expect(!problemsOrError(deep: true).isEmpty)
    }

    /// Damage may also keep the store from being read at all.
    private func problemsOrError(deep: Bool) -> [String] {
        do { return try cell.store.verify(deep: deep).problems } catch {
            #expect(error.code == .corrupt)
            return [error.message]
        }
    }

    @Test(
        "a damaged row state is found",
        arguments: [
            "state = CAST(substr(state, 1, 2) || x'7f' || substr(state, 4) AS BLOB)", "state = x''", "state = x'ff'",
            "state = substr(state, 1, length(state) - 1)", "state = CAST(state || state AS BLOB)",
            "ch = ch + 1", "tbl = 99", "id = 'another'",
            "state = CAST(x'00' || x'05' || substr(state, 3) AS BLOB)",
            "state = CAST(x'00' || x'01' || x'ffffff7f' || substr(state, 3) AS BLOB)",
        ])
    func damagedState(_ change: String) throws {
        try damage("UPDATE kenh_row SET \(change) WHERE id = 'row1'")
        #expect(!problemsOrError(deep: false).isEmpty)
    }

    @Test(
        "what does not fit together is found",
        arguments: [
            "UPDATE kenh_channel SET digest = zeroblob(16) WHERE name = 'org'",
            "DELETE FROM kenh_row WHERE id = 'row4'",
            "DELETE FROM item WHERE id = 'row4'", "INSERT INTO item(id) VALUES('stray')",
            "INSERT INTO item(id) VALUES('row2')", "DELETE FROM kenh_conflict",
            "UPDATE task SET channel = 'plan/2' WHERE id = 'task1'", "DELETE FROM kenh_replica",
            "UPDATE kenh_branch SET replica = zeroblob(16)", "UPDATE kenh_branch SET first_counter = -1",
            "DELETE FROM kenh_branch",
        ])
    func inconsistent(_ sql: String) throws {
        try damage(sql)
        #expect(!problemsOrError(deep: false).isEmpty)
    }

    @Test(
        "a value that is wrong in a table alone, or in a kept loser, is found by a deep check",
        arguments: [
            "UPDATE item SET title = 'T' WHERE id = 'row4'", "UPDATE item SET amount = amount + 1 WHERE id = 'row5'",
            "UPDATE item SET data = x'010203ff' WHERE id = 'row4'", "UPDATE item SET status = NULL WHERE id = 'row4'",
            "UPDATE item SET note = '' WHERE id = 'row4'", "UPDATE task SET points = 7 WHERE id = 'task1'",
            "UPDATE kenh_row SET state = CAST(replace(CAST(state AS TEXT), 'by A', 'BY A') AS BLOB) WHERE id = 'row1'",
        ])
    func deepDamage(_ sql: String) throws {
        try damage(sql)
        let report = try cell.store.verify(deep: true)
        #expect(report.problems.count == 1, "\(report.problems)")
        #expect(report.problems.first?.contains("is not what its blocks make of it") == true)
    }

    @Test("problems are listed up to a hundred")
    func manyProblems() throws {
        try damage(
            """
            INSERT INTO item(id) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
            SELECT 'stray' || i FROM n
            """)
        let problems = try cell.store.verify().problems
        #expect(problems.count == 101)
        #expect(problems.last == "there are more problems than these")
    }

    @Test("of single bits flipped in the file none traps, and none gives wrong rows unseen", arguments: 0..<4)
    func flippedBits(_ part: Int) throws {
        let good = try Data(contentsOf: URL(filePath: cell.path))
        let rows = try Self.rows(of: cell.store)
        var random = SeededGenerator(seed: UInt64(part))
        for number in 0..<15 {
            let bit = random.below(good.count * 8)
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            let path = organisation.directory.appending(path: "flipped-\(part)-\(number).db").path
            try bad.write(to: URL(filePath: path))
            #expect(Self.isNoticed(path, rows), "bit \(bit) of \(good.count * 8)")
            try FileManager.default.removeItem(atPath: path)
        }
    }

    private static func isNoticed(_ path: String, _ rows: [String]) -> Bool {
        do {
            let store = try Store(path: path, schema: TestSchema.schema)
            return try !store.verify(deep: true).isGood || Self.rows(of: store) == rows
        } catch { return error is StoreError }
    }

    private static func rows(of store: Store) throws -> [String] {
        try ["item", "task", "photo"].flatMap { table in
            try store.rows("SELECT * FROM \(table) ORDER BY id").map { row in
                row.columns.map { "\($0)=\(row[$0])" }.joined(separator: ",")
            }
        }
    }
}
