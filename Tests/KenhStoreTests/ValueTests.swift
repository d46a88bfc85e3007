import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct ValueTests {
    static let nfc = "Kế hoạch đột phá"
    static let nfd = "Ke\u{302}\u{301} hoa\u{323}ch đo\u{323}\u{302}t pha\u{301}"

    static let values: [(column: String, value: Value)] = [
        ("title", ""), ("title", "x"), ("title", .text(nfc)), ("title", .text(nfd)),
        ("title", "'); DROP TABLE item; --"),
        ("title", "\u{1F1FB}\u{1F1F3} \u{10FFFF} \r\n\t"), ("title", .text(String(repeating: "đ", count: 500_000))),
        ("note", "silent"), ("contact", "0901 234 567"), ("contact", ""), ("contact", nil),
        ("amount", 0), ("amount", -1), ("amount", .integer(.min)), ("amount", .integer(.max)),
        ("ratio", 0.1), ("ratio", -1.5), ("ratio", 3.0), ("ratio", 1e300), ("ratio", .real(.greatestFiniteMagnitude)),
        ("ratio", .real(.leastNonzeroMagnitude)), ("ratio", .real(-.pi)), ("ratio", 9_007_199_254_740_993.0),
        ("data", .blob([])), ("data", .blob(Array(0...255))), ("data", .blob([0])),
        ("title", nil), ("amount", nil), ("ratio", nil), ("data", nil), ("status", nil), ("status", "held"),
    ]

    @Test("values of every type arrive byte for byte, by insert and by update")
    func everyType() throws {
        let organisation = try OrganisationFixture()
        for (number, (column, value)) in Self.values.enumerated() {
            try organisation["A"].insert("item", .text("insert-\(number)"), [(column, value)])
            try organisation["A"].insert("item", .text("update-\(number)"))
        }
        try organisation.exchange()
        for (number, (column, value)) in Self.values.enumerated() {
            try organisation["B"].update("item", .text("update-\(number)"), column, value)
        }
        try organisation.exchange()
        for (number, (column, value)) in Self.values.enumerated() {
            let id = Value.text("insert-\(number)")
            #expect(try organisation["A"].value("item", id, column) == value)
            #expect(try organisation["B"].value("item", id, column) == value)
            #expect(try organisation["A"].value("item", .text("update-\(number)"), column) == value)
        }
        #expect(try organisation["A"].store.conflicts().isEmpty)
    }

    @Test("NFC and NFD of one word stay two texts, also as ids")
    func normalForms() throws {
        #expect(Self.nfc == Self.nfd && Array(Self.nfc.utf8) != Array(Self.nfd.utf8))
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", .text(Self.nfc), [("title", .text(Self.nfd))])
        try organisation["B"].insert("item", .text(Self.nfd), [("title", .text(Self.nfc))])
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM item") } == 2)
        #expect(try organisation.everywhere { try $0.value("item", .text(Self.nfc), "title") } == .text(Self.nfd))
        try organisation["A"].update("item", .text(Self.nfc), "title", .text(Self.nfc))
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", .text(Self.nfc), "title") } == .text(Self.nfc))
    }

    @Test("SQLite's tables keep no sign of zero, so −0.0 is 0.0 everywhere and no conflict with it")
    func negativeZero() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "inserted", [("ratio", .real(-0.0))])
        try organisation["A"].insert("item", "updated", [("ratio", 0.0)])
        try organisation.exchange()
        let before = try organisation["A"].store.settledDigests()
        try organisation["A"].update("item", "updated", "ratio", .real(-0.0))
        try organisation.exchange()
        for id: Value in ["inserted", "updated"] {
            #expect(try organisation.everywhere { try $0.value("item", id, "ratio") } == .real(0.0))
        }
        #expect(try organisation["A"].store.settledDigests() == before)
    }

    @Test("a block that carries −0.0 gives the same state in either order of arrival")
    func foreignNegativeZero() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("item", "x")
        try organisation.exchange()
        let foreign = try ForeignBlock(organisation, channel: "org")
        let block = try foreign.seal { builder in
            let table = builder.table("item", idType: .text, columns: ["ratio"])
            foreign.insert("y", table: table, columns: [.real(-0.0)], into: builder)
        }
        try organisation["B"].insert("item", "y", [("ratio", 0.0)])
        for name in ["A", "B", "C"] { try foreign.give(block, to: organisation[name]) }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.conflict("item", "y", "ratio") } == .some(nil))
    }

    @Test("a value of another type than its column's stays in the state in either order of arrival")
    func foreignTypes() throws {
        let organisation = try OrganisationFixture()
        let (first, second) = (
            try ForeignBlock(organisation, channel: "org", seed: 5),
            try ForeignBlock(organisation, channel: "org", seed: 6)
        )
        let blocks = try [first, second].map { foreign in
            try foreign.seal { builder in
                let table = builder.table("item", idType: .text, columns: ["title", "data"])
                foreign.insert("y", table: table, columns: [1, 2.5], into: builder)
            }
        }
        try first.give(blocks[0], to: organisation["A"])
        try second.give(blocks[1], to: organisation["A"])
        try second.give(blocks[1], to: organisation["B"])
        try first.give(blocks[0], to: organisation["B"])
        // Each store is compared with what its blocks make of it, in one order.
        for cell in organisation.cells {
            #expect(try cell.store.verify(deep: true).problems == [])
            #expect(try cell.value("item", "y", "title") == .some(.null))
        }
        let conflicts = try organisation.cells.map { try $0.conflict("item", "y", "data") }
        #expect(conflicts[0] == conflicts[1])
    }

    static let refused: [(column: String, value: Value)] = [
        ("title", .text("a\0b")), ("title", .text([0xff, 0x41])), ("title", .text("\0")), ("contact", .text("\0")),
        ("ratio", .real(.nan)), ("ratio", .real(.infinity)), ("ratio", .real(-.infinity)),
        ("title", .text([UInt8](repeating: 0x61, count: Limits.valueBytes + 1))),
        ("data", .blob([UInt8](repeating: 0, count: Limits.valueBytes + 1))),
    ]

    @Test("what cannot be kept is refused by a transaction, which then changes nothing", arguments: refused.indices)
    func refusedValues(_ at: Int) throws {
        let (column, value) = Self.refused[at]
        let organisation = try OrganisationFixture(["A"])
        let cell = organisation["A"]
        try cell.insert("item", "x", [("title", "kept")])
        let error = #expect(throws: StoreError.self) {
            try cell.store.write {
                try $0.insert("item", [("id", "other")])
                try $0.update("item", id: "x", [(column, value)])
            }
        }
        #expect(error?.code == .refusedValue)
        #expect(error?.message.isEmpty == false)
        #expect(try cell.count("SELECT count(*) FROM item") == 1)
        #expect(try cell.value("item", "x", "title") == "kept")
        #expect(try cell.pending == 1)
    }

    static let refusedSQL = [
        "INSERT INTO item(id, title) VALUES('y', 'a' || char(0) || 'b')",
        "INSERT INTO item(id) VALUES('y' || char(0))",
        "INSERT OR IGNORE INTO item(id, title) VALUES('y', char(0))",
        "INSERT OR REPLACE INTO item(id, contact) VALUES('x', 'a' || char(0))",
        "UPDATE item SET title = 'a' || char(0)",
        "UPDATE item SET ratio = 9e999",
        "UPDATE item SET ratio = -9e999",
        "UPDATE item SET title = printf('%.*c', 11000000, 'a')",
        "UPDATE item SET data = zeroblob(17000000)",
        "UPDATE item SET amount = 'many'",
        "INSERT INTO item(id) VALUES('')",
        "INSERT INTO item(id) VALUES(NULL)",
        "INSERT INTO photo(id) VALUES(x'0102')",
        "INSERT INTO task(id, channel) VALUES('y', '')",
        "INSERT INTO task(id, channel) VALUES('y', 'kenh/registry')",
        "INSERT INTO task(id, channel) VALUES('y', 'kế hoạch')",
        "INSERT INTO task(id, channel) VALUES('y', 'a' || char(0))",
        "INSERT INTO task(id, channel) VALUES('y', 'a' || char(10) || 'b')",
        "INSERT INTO task(id, channel) VALUES('y', printf('%.*c', 201, 'a'))",
        "INSERT INTO task(id) VALUES('y')",
    ]

    @Test("plain SQL is refused what cannot travel, and nothing is changed", arguments: refusedSQL)
    func refusedPlainSQL(_ sql: String) throws {
        let organisation = try OrganisationFixture(["A"])
        let cell = organisation["A"]
        try cell.insert("item", "x", [("title", "kept")])
        #expect(throws: SQLiteTool.Failure.self) { try SQLiteTool.run(sql + ";", on: cell.path) }
        let error = #expect(throws: StoreError.self) { try cell.sql(sql) }
        #expect(error?.code == .refusedValue)
        #expect(try cell.pending == 1)
        #expect(try cell.count("SELECT count(*) FROM item WHERE title = 'kept'") == 1)
    }

    @Test("NaN is NULL to SQLite before anybody can refuse it: plain SQL writes NULL, everywhere")
    func nan() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x", [("ratio", 1.0)])
        try organisation["A"].sql("UPDATE item SET ratio = 9e999 - 9e999")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "ratio") } == .null)
    }

    @Test("text that is no UTF-8, which only plain SQL can write, is repaired where it was written, too")
    func repairedText() throws {
        let organisation = try OrganisationFixture()
        try SQLiteTool.run(
            """
            INSERT INTO item(id, title, contact) VALUES('x', CAST(x'41FF42' AS TEXT), CAST(x'C3' AS TEXT));
            INSERT INTO item(id, title) VALUES('gone', CAST(x'FE' AS TEXT)); DELETE FROM item WHERE id = 'gone';
            """, on: organisation["A"].path)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "A\u{FFFD}B")
        #expect(try organisation.everywhere { try $0.value("item", "x", "contact") } == "\u{FFFD}")
        #expect(try organisation["A"].count("SELECT hex(title) = '41EFBFBD42' FROM item") == 1)
    }

    @Test("a row whose id is no UTF-8 stays where it is, and its cell is told; everything else goes on")
    func unsendableID() throws {
        let organisation = try OrganisationFixture()
        try SQLiteTool.run(
            "INSERT INTO item(id) VALUES(CAST(x'FF' AS TEXT)); INSERT INTO item(id, title) VALUES('x', 't');",
            on: organisation["A"].path)
        try organisation.send(organisation["A"])
        try organisation.receive(organisation["B"])
        #expect(try organisation["B"].value("item", "x", "title") == "t")
        #expect(try organisation["B"].count("SELECT count(*) FROM item") == 1)
        #expect(try organisation["A"].store.notices().map(\.code) == ["unsendable"])
    }

    @Test("a line as large as its table allows still fits into a block")
    func largestLine() throws {
        let organisation = try OrganisationFixture()
        let length = Limits.plainBodyBytes * 3 / 4 / 5
        try organisation["A"].insert("item", "before", [("title", .text(String(repeating: "b", count: 4_000_000)))])
        try organisation["A"].sql(
            """
            INSERT INTO item(id, title, note, status, contact, data)
            SELECT 'x', v, v, v, v, zeroblob(?1) FROM (SELECT printf('%.*c', ?1, 'a') AS v)
            """, [.integer(Int64(length))])
        try organisation.exchange(deep: false)
        #expect(try organisation["B"].count("SELECT length(contact) FROM item WHERE id = 'x'") == Int64(length))
    }
}
