import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Numbers that several people raise and lower at once.
@Suite struct CounterTests {
    static let stock = Table(
        "stock", channel: .constant("org"),
        columns: [.text("name"), .counter("count"), .integer("price"), .counter("sold", .mustResolve, default: 7)])
    static let schema = TestSchema.make([Migration(1, [.table(stock)])])
    /// Knows neither `sold` nor a table of its own of the later schema.
    static let older = TestSchema.make([
        Migration(1, [.table(Table("stock", channel: .constant("org"), columns: [.text("name"), .counter("count")]))])
    ])
    static let newer = TestSchema.make(
        older.migrations + [
            Migration(
                2,
                [
                    .column(.counter("sold", default: 7), in: "stock"),
                    .table(
                        Table("box", id: .blob, channel: .constant("box"), columns: [.counter("weight", default: -2)])),
                ])
        ])

    private func organisation(_ names: [String] = ["A", "B", "C"]) throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(names, schema: Self.schema)
        try organisation[names[0]].insert("stock", "x", [("name", "nail"), ("count", 10)])
        try organisation.exchange()
        return organisation
    }

    private func shown(_ organisation: OrganisationFixture, _ column: String = "count") throws -> Value?? {
        try organisation.everywhere { try $0.value("stock", "x", column) }
    }

    // MARK: the insert that an addition builds on

    @Test("an addition waits for its row's insert: an insert of somebody who could not see it passes over nothing")
    func waitsForInsert() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"], schema: Self.schema)
        let (a, b, c) = (organisation["A"], organisation["B"], organisation["C"])
        try a.insert("stock", "x", [("count", 1)])
        try organisation.send(a)
        try organisation.receive(b)
        try b.sql("UPDATE stock SET count = count + 5 WHERE id = 'x'")
        try organisation.send(b)
        let alone = try #require(organisation.waiting(for: c).last)
        let item = Delivery.Item(hash: alone.hash, block: alone, acceptance: nil)
        let report = try c.store.take(Delivery(items: [item], registry: organisation.registry), as: c.identity)
        #expect(report.heldBlocks == 1 && report.changes == 0)

        try c.insert("stock", "x", [("count", 1)])
        try c.sql("UPDATE stock SET count = count + 70 WHERE id = 'x'")
        try organisation.exchange()
        #expect(try shown(organisation) == 76)
    }

    // MARK: adding

    @Test("what cells add at the same time is summed up everywhere, once, and is no conflict")
    func concurrent() throws {
        let organisation = try organisation()
        for (cell, amount) in zip(organisation.cells, [1, 20, -300]) {
            try cell.sql("UPDATE stock SET count = count + ?", [.integer(Int64(amount))])
            try cell.sql("UPDATE stock SET count = count + ?", [.integer(Int64(amount) * 2)])
        }
        try organisation.exchange()
        #expect(try shown(organisation) == .integer(10 + 3 * (1 + 20 - 300)))
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        for cell in organisation.cells { try cell.sql("UPDATE stock SET count = count + 1") }
        try organisation.exchange()
        try organisation.exchange()
        #expect(try shown(organisation) == .integer(10 + 3 * (1 + 20 - 300) + 3))
    }

    @Test("an UPDATE to a number by plain SQL adds the difference that it makes")
    func plainSet() throws {
        let organisation = try organisation()
        try SQLiteTool.run("UPDATE stock SET count = 50;", on: organisation["A"].path)
        try organisation["B"].sql("UPDATE stock SET count = count + 5")
        try organisation["C"].sql("UPDATE stock SET count = 10, name = name")
        #expect(try organisation["C"].pending == 1, "SQL updated a line and changed nothing")
        try organisation.exchange()
        #expect(try shown(organisation) == 55)
    }

    @Test("one statement that changes registers and counters is both")
    func mixed() throws {
        let organisation = try organisation()
        try organisation["A"].sql("UPDATE stock SET name = 'A', count = count + 1, price = 3, sold = sold - 2")
        organisation.clock.advance(milliseconds: 1)
        try organisation["B"].sql("UPDATE stock SET name = 'B', count = count + 1, sold = sold - 3")
        #expect(try organisation["A"].seal().changes == 2)
        try organisation.exchange()
        #expect(try shown(organisation) == 12)
        #expect(try shown(organisation, "sold") == 2)
        #expect(try shown(organisation, "price") == 3)
        let name = ConflictSummary(shown: "B", losers: ["A"])
        #expect(try organisation.everywhere { try $0.conflict("stock", "x", "name") } == .some(name))
        #expect(try organisation.everywhere { try $0.conflict("stock", "x", "count") } == .some(nil))
    }

    @Test("upserts add, inserts set")
    func upsert() throws {
        let organisation = try organisation()
        for (cell, amount) in zip(organisation.cells, [1, 20, 300]) {
            try cell.sql(
                """
                INSERT INTO stock(id, count) VALUES('x', ?)
                ON CONFLICT(id) DO UPDATE SET count = count + excluded.count
                """, [.integer(Int64(amount))])
        }
        try organisation.exchange()
        #expect(try shown(organisation) == 331)
    }

    @Test("a transaction that is rolled back adds nothing")
    func rollback() throws {
        let organisation = try organisation()
        struct ChangeOfMind: Error {}
        #expect(throws: ChangeOfMind.self) {
            try organisation["A"].store.write { transaction in
                try transaction.execute("UPDATE stock SET count = count + 1")
                throw ChangeOfMind()
            }
        }
        try SQLiteTool.run(
            "BEGIN; UPDATE stock SET count = count + 5; SAVEPOINT s; UPDATE stock SET count = 0; ROLLBACK TO s; COMMIT;",
            on: organisation["A"].path)
        try organisation.exchange()
        #expect(try shown(organisation) == 15)
    }

    @Test("many additions in pieces, by several officers, before and after a seal, come to one sum")
    func pieces() throws {
        let organisation = try organisation()
        for round in 1...3 {
            for officer in ["an", "bình", nil] {
                try organisation["A"].sql("UPDATE stock SET count = count + 1", officer: officer)
                try organisation["B"].sql("UPDATE stock SET count = count + 100", officer: officer)
            }
            if round == 2 { try organisation["A"].seal() }
            if round == 2 { try organisation.send(organisation["B"]) }
        }
        try organisation.exchange()
        #expect(try shown(organisation) == 919)
    }

    // MARK: setting

    @Test("REPLACE sets: what its writer had seen is superseded, what was added meanwhile is added")
    func replace() throws {
        let organisation = try organisation()
        try organisation["B"].sql("UPDATE stock SET count = count + 5")
        try organisation.exchange()
        try organisation["A"].sql("INSERT OR REPLACE INTO stock(id, name, count) VALUES('x', 'screw', 1)")
        try organisation["B"].sql("UPDATE stock SET count = count + 100")
        try organisation.exchange()
        #expect(try shown(organisation) == 101)
        #expect(try shown(organisation, "sold") == 7)
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("adding before and after a REPLACE in one seal")
    func replaceBetween() throws {
        let organisation = try organisation()
        try organisation["B"].sql("UPDATE stock SET count = count + 1000")
        try organisation["A"].sql("UPDATE stock SET count = count + 1")
        try organisation["A"].sql("INSERT OR REPLACE INTO stock(id, count) VALUES('x', 50)")
        try organisation["A"].sql("UPDATE stock SET count = count + 2")
        try organisation.exchange()
        #expect(try shown(organisation) == 1052)
    }

    @Test("concurrent inserts are a conflict of what they would show; settling it sets, and loses no addition")
    func settle() throws {
        for choice in [0, 1, 2] {
            let organisation = try OrganisationFixture(["A", "B", "C"], schema: Self.schema)
            try organisation["A"].insert("stock", "x", [("count", 10)])
            organisation.clock.advance(milliseconds: 1)
            try organisation["B"].insert("stock", "x", [("count", 20)])
            try organisation.exchange()
            try organisation["C"].sql("UPDATE stock SET count = count + 5")
            let before = ConflictSummary(shown: 25, losers: [15])
            #expect(try organisation["C"].conflict("stock", "x", "count") == before, "an addition settles nothing")
            try organisation.exchange()
            #expect(try organisation.everywhere { try $0.conflict("stock", "x", "count") } == .some(before))
            let value = [25, 15, -4][choice]
            try organisation["A"].store.resolve(
                table: "stock", id: "x", column: "count", to: .integer(Int64(value)), officer: "an")
            #expect(try organisation["A"].conflict("stock", "x", "count") == nil)
            #expect(try organisation["A"].value("stock", "x", "count") == .integer(Int64(value)))
            try organisation["A"].sql("UPDATE stock SET count = count + 1")
            try organisation["B"].sql("UPDATE stock SET count = count + 100")
            try organisation.exchange()
            #expect(try shown(organisation) == .integer(Int64(value + 101)))
            #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        }
    }

    @Test("a counter is not settled to what is no integer")
    func settleToNothing() throws {
        let organisation = try OrganisationFixture(["A", "B"], schema: Self.schema)
        try organisation["A"].insert("stock", "x", [("count", 10)])
        try organisation["B"].insert("stock", "x", [("count", 20)])
        try organisation.exchange()
        for value: Value in [nil, "five", 0.5] {
            let error = #expect(throws: StoreError.self) {
                try organisation["A"].store.resolve(table: "stock", id: "x", column: "count", to: value)
            }
            #expect(error?.code == .refusedValue)
        }
        #expect(try organisation["A"].pending == 0)
    }

    // MARK: deleting

    @Test("an addition concurrent with a delete keeps the row, and the sum is whole")
    func deleteOrAdd() throws {
        let organisation = try organisation()
        try organisation["B"].sql("UPDATE stock SET count = count + 5")
        try organisation.exchange()
        try organisation["A"].delete("stock", "x")
        try organisation["B"].sql("UPDATE stock SET count = count + 100")
        try organisation.exchange()
        #expect(try shown(organisation) == 115)
        #expect(try organisation.everywhere { try $0.isKeptDespiteDelete("stock", "x") } == true)
        try organisation["C"].store.keep(table: "stock", id: "x")
        try organisation["B"].sql("UPDATE stock SET count = count + 1000")
        try organisation.exchange()
        #expect(try shown(organisation) == 1115)
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
    }

    @Test("the value that a deleted line showed is taken apart, pending additions too")
    func deleteAfterAdding() throws {
        let organisation = try organisation()
        try organisation["A"].sql("UPDATE stock SET count = count + 1")
        try organisation["A"].sql("UPDATE stock SET count = count + 2, sold = 0")
        try organisation["A"].delete("stock", "x")
        try organisation["B"].sql("UPDATE stock SET count = count + 100")
        try organisation.exchange()
        #expect(try shown(organisation) == 113)
        #expect(try shown(organisation, "sold") == 0)
    }

    @Test("an insert over a tombstone supersedes the additions seen; late ones are added to it")
    func reinsert() throws {
        let organisation = try organisation()
        try organisation["A"].sql("UPDATE stock SET count = count + 5")
        try organisation.exchange()
        try organisation["C"].sql("UPDATE stock SET count = count + 100")
        try organisation["A"].delete("stock", "x")
        try organisation["A"].seal()
        try organisation["A"].insert("stock", "x", [("count", 1)])
        try organisation.send(organisation["A"])
        try organisation.receive(organisation["B"])
        #expect(try organisation["B"].value("stock", "x", "count") == 1)
        try organisation.exchange()
        #expect(try shown(organisation) == 101)
    }

    // MARK: nodes of several kinds

    @Test("a node that does not know a counter keeps and forwards what is added, and shows the sum after its upgrade")
    func olderSchema() throws {
        let organisation = try OrganisationFixture(["old"], schema: Self.older)
        try organisation.add("new", schema: Self.newer)
        let (old, new) = (organisation["old"], organisation["new"])
        try old.insert("stock", "x", [("count", 1)])
        try organisation.exchange()
        let third = try organisation.add("third", schema: Self.newer)
        try new.sql("UPDATE stock SET sold = sold + 10, count = count + 1")
        try new.sql(
            "INSERT INTO box(id, weight) VALUES(x'00112233445566778899aabbccddeeff', 3); UPDATE box SET weight = 5")
        try organisation.exchange()
        #expect(try third.value("stock", "x", "sold") == 17, "nobody wrote the base: it is the default")
        try third.sql("UPDATE stock SET sold = sold + 100; UPDATE box SET weight = weight + 1")
        try old.sql("UPDATE stock SET count = count + 1, name = 'by old'")
        try organisation.exchange()
        // Pending when the upgrade comes.
        try old.sql("UPDATE stock SET count = count + 1000")
        try old.upgrade(to: Self.newer)
        try old.sql("UPDATE stock SET sold = sold + 5000")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("stock", "x", "sold") } == 5117)
        #expect(try organisation.everywhere { try $0.value("stock", "x", "count") } == 1003)
        #expect(try organisation.everywhere { try $0.count("SELECT weight FROM box") } == 6)
    }

    @Test("an unknown counter survives a delete and its undoing by a node that does not know it")
    func olderDelete() throws {
        let organisation = try OrganisationFixture(["old"], schema: Self.older)
        try organisation.add("new", schema: Self.newer)
        try organisation["new"].insert("stock", "x", [("sold", 1)])
        try organisation["new"].sql("UPDATE stock SET sold = sold + 10")
        try organisation.exchange()
        try organisation["old"].delete("stock", "x")
        try organisation["new"].sql("UPDATE stock SET sold = sold + 100")
        try organisation.exchange()
        #expect(try organisation["new"].value("stock", "x", "sold") == 111)
        try organisation["old"].upgrade(to: Self.newer)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("stock", "x", "sold") } == 111)
    }

    @Test("a node that takes the counter for a register comes to the same state, and sets where it writes")
    func register() throws {
        let table = Table(
            "stock", channel: .constant("org"),
            columns: [.text("name"), .integer("count"), .integer("price"), .integer("sold")])
        let organisation = try organisation(["A", "B"])
        let other = try organisation.add("other", schema: TestSchema.make([Migration(1, [.table(table)])]))
        try organisation["A"].sql("UPDATE stock SET count = count + 1")
        try organisation["B"].sql("UPDATE stock SET count = count + 2")
        try organisation.exchange()
        #expect(try shown(organisation) == 13)
        try other.sql("UPDATE stock SET count = 1000")
        try organisation["A"].sql("UPDATE stock SET count = count + 5")
        try organisation.exchange()
        #expect(try shown(organisation) == 1005)
        try other.sql("UPDATE stock SET count = NULL")
        try organisation.exchange()
        #expect(try organisation["A"].value("stock", "x", "count") == 0, "what is no integer counts as 0")
        try organisation["A"].sql("UPDATE stock SET count = count + 5")
        try organisation.exchange()
        #expect(try shown(organisation) == 5)
    }

    @Test("additions of a foreign programme, before and after the row's insert, with wrapping sums")
    func foreign() throws {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let organisation = try OrganisationFixture(["A"], schema: Self.schema)
            let writers = try (0..<3).map { try ForeignBlock(organisation, channel: "org", seed: UInt64($0 + 50)) }
            let kinds: [(ChangeKind, Value)] = [(.insert, .integer(.max)), (.add, .integer(.max)), (.add, 3)]
            for at in order {
                let block = try writers[at].seal { builder in
                    let table = builder.table("stock", idType: .text, columns: ["count"])
                    Array("x".utf8).withUnsafeBytes {
                        builder.change(
                            kinds[at].0, table: table, id: $0, clock: HybridClock(milliseconds: 1), columns: .column(0),
                            predecessors: [])
                    }
                    builder.value(kinds[at].1, table: table, column: 0)
                }
                try writers[at].give(block, to: organisation["A"])
                try writers[at].give(block, to: organisation["A"])
            }
            #expect(try organisation["A"].value("stock", "x", "count") == 1)
            #expect(try organisation["A"].store.verify(deep: true).problems == [])
        }
    }

    @Test("a copy of a disk that goes on adding has both lines' additions counted once")
    func copied() throws {
        let organisation = try organisation(["A", "B"])
        let a = organisation["A"]
        try a.sql("UPDATE stock SET count = count + 1")
        let backup = organisation.directory.appending(path: "backup.db").path
        _ = try a.store.rows("VACUUM INTO '\(backup)'")
        try a.sql("UPDATE stock SET count = count + 20")
        try organisation.exchange()
        let copy = try CellFixture(
            name: "copy", path: backup, identity: a.identity, schema: Self.schema, clock: organisation.clock)
        try copy.sql("UPDATE stock SET count = count + 300")
        try organisation.send(copy)
        try organisation.receive(copy)
        try organisation.exchange()
        // The copy and the original sealed the same first addition, on two lines where their blocks differ.
        let sums = try ([copy] + organisation.cells).map { try $0.value("stock", "x", "count") }
        #expect(Set(sums).count == 1, "\(sums)")
        #expect(sums[0] == 331 || sums[0] == 332)
        #expect(try copy.store.verify(deep: true).problems == [])
    }

    // MARK: lines that nobody captured

    @Test("an UPDATE of a line that was never captured inserts what the line shows, once")
    func uncaptured() throws {
        let organisation = try organisation(["A", "B"])
        try SQLiteTool.run(
            """
            DROP TRIGGER kenh_insert_stock; INSERT INTO stock(id, count) VALUES('y', 5), ('z', 5);
            UPDATE stock SET count = count + 1 WHERE id <> 'x'; UPDATE stock SET count = count + 2, name = 'n' WHERE id <> 'x';
            """, on: organisation["A"].path)
        try organisation["A"].sql("UPDATE stock SET count = count + 4 WHERE id = 'y'", officer: "an")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("stock", "y", "count") } == 12)
        #expect(try organisation.everywhere { try $0.value("stock", "z", "count") } == 8)
        try organisation["B"].sql("UPDATE stock SET count = count + 100")
        try organisation["A"].sql("UPDATE stock SET count = count + 1000")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("stock", "y", "count") } == 1112)
    }

    @Test("differences that another program forged in the pending table stop nothing")
    func forged() throws {
        let organisation = try organisation(["A", "B"])
        try SQLiteTool.run(
            """
            INSERT INTO kenh_pending(tbl, kind, id, mask, at, v1, v3) VALUES
                (1, 1, 'x', 10, 0, 'text', 0.5), (1, 1, 'x', 2, 0, NULL, NULL), (1, 3, 'x', 2, 0, 9, 9);
            """, on: organisation["A"].path)
        #expect(try organisation["A"].seal().changes == 0)
        try organisation["A"].sql("UPDATE stock SET count = count + 1")
        try organisation.exchange()
        #expect(try shown(organisation) == 11)
    }

    // MARK: refusals

    @Test("a difference beyond 64 bits is refused in words and changes nothing")
    func overflow() throws {
        let organisation = try organisation(["A"])
        try organisation["A"].sql("UPDATE stock SET count = ?", [.integer(.max)])
        for write in ["UPDATE stock SET count = -2", "UPDATE stock SET count = -9223372036854775808"] {
            let error = #expect(throws: StoreError.self) { try organisation["A"].sql(write) }
            #expect(error?.code == .refusedValue)
            #expect(error?.message.contains("stock.count may not change by over") == true, "\(error?.message ?? "")")
        }
        for write in ["UPDATE stock SET count = count + 1", "UPDATE stock SET count = NULL"] {
            #expect(throws: StoreError.self) { try organisation["A"].sql(write) }
        }
        #expect(try organisation["A"].pending == 1)
        try organisation["A"].sql("UPDATE stock SET count = -1")
        try organisation["A"].sql("UPDATE stock SET count = -9223372036854775808")
        try organisation.exchange()
        #expect(try shown(organisation) == .integer(.min))
    }

    @Test("a line that does not show its sum is found by verify without its blocks")
    func verify() throws {
        let organisation = try organisation(["A", "B"])
        try organisation["A"].sql("UPDATE stock SET count = count + 1")
        try organisation.exchange()
        try SQLiteTool.run("DROP TRIGGER kenh_update_stock; UPDATE stock SET count = 99;", on: organisation["B"].path)
        #expect(
            try organisation["B"].store.verify().problems == ["row x of stock does not show the sum of count"])
    }

    @Test("history tells additions apart from values")
    func history() throws {
        let organisation = try organisation(["A", "B"])
        try organisation["A"].sql("UPDATE stock SET count = count - 3, sold = 8, name = 'n'", officer: "an")
        try organisation.exchange()
        let items = try organisation["B"].store.history(table: "stock", id: "x")
        #expect(items.map(\.kind) == [.insert, .update, .add])
        #expect(items[0].additions.isEmpty && items[1].additions.isEmpty && items[2].values.isEmpty)
        #expect(items[1].values.map(\.column) == ["name"])
        #expect(items[2].additions.map(\.column) == ["count", "sold"] && items[2].additions.map(\.amount) == [-3, 1])
        #expect(items[2].officer == "an" && items[2].supersedes == 0)
    }

    @Test("a counter that cannot be one is a mistake of the schema", arguments: 0..<4)
    func mistakes(_ at: Int) {
        let columns = [
            Column("n", .text, rule: .counter, default: "0"), Column("n", .integer, rule: .counter),
            .counter("n", default: 0.5), Column("n", .integer, rule: .counter, erasable: true),
        ]
        let error = #expect(throws: StoreError.self) {
            try Schema([Migration(1, [.table(Table("t", channel: .constant("org"), columns: [columns[at]]))])])
        }
        #expect(error?.code == .schema && error?.message.contains("t.n") == true)
    }

    @Test("a column's rule never changes")
    func changedRule() throws {
        let organisation = try organisation(["A"])
        for columns: [Column] in [
            [.text("name"), .integer("count", default: 0), .integer("price"), .counter("sold", default: 7)],
            [.text("name"), .counter("count"), .counter("price"), .counter("sold", default: 7)],
        ] {
            let changed = Migration(1, [.table(Table("stock", channel: .constant("org"), columns: columns))])
            for migrations in [[changed], [changed, Migration(2, [.column(.text("more"), in: "stock")])]] {
                let error = #expect(throws: StoreError.self) {
                    try organisation["A"].upgrade(to: TestSchema.make(migrations))
                }
                #expect(error?.code == .schema)
            }
        }
        try organisation["A"].upgrade(to: Self.schema)
        #expect(try organisation["A"].value("stock", "x", "count") == 10)
    }
}
