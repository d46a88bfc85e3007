import KenhMerge
import KenhStore
import Testing

/// Whatever SQL an application or a tool uses, what it did arrives.
@Suite struct WritingTests {
    private func organisation() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x", [("title", "first"), ("amount", 1), ("note", "n")])
        try organisation["A"].insert("task", "t", [("channel", "plan/1"), ("title", "task"), ("points", 1)])
        try organisation.exchange()
        return organisation
    }

    @Test("INSERT OR REPLACE is an insert that saw the old row")
    func replace() throws {
        let organisation = try organisation()
        try organisation["B"].sql("INSERT OR REPLACE INTO item(id, title) VALUES('x', 'second')")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "second")
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == .null)
        #expect(try organisation.everywhere { try $0.value("item", "x", "status") } == "open")
        #expect(try organisation["A"].store.conflicts().isEmpty)
    }

    @Test("REPLACE with recursive triggers fires the delete trigger, too, and comes to the same")
    func recursiveReplace() throws {
        let organisation = try organisation()
        try SQLiteTool.run(
            "PRAGMA recursive_triggers=ON; REPLACE INTO item(id, title) VALUES('x', 'second');",
            on: organisation["B"].path)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "second")
        #expect(try organisation["A"].store.conflicts().isEmpty)
    }

    @Test("an upsert inserts where there is none and updates where there is one")
    func upsert() throws {
        let organisation = try organisation()
        for id in ["x", "y"] {
            try organisation["B"].sql(
                """
                INSERT INTO item(id, title, amount) VALUES(?, 'new', 10)
                ON CONFLICT(id) DO UPDATE SET amount = amount + excluded.amount
                """, [.text(id)])
        }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "first")
        #expect(try organisation.everywhere { try $0.value("item", "x", "amount") } == 11)
        #expect(try organisation.everywhere { try $0.value("item", "y", "amount") } == 10)
    }

    @Test("INSERT without an id gets a time-ordered one, or 16 random bytes")
    func defaultIDs() throws {
        let organisation = try organisation()
        try organisation["A"].sql("DELETE FROM item")
        try organisation["A"].sql("INSERT INTO item(title) VALUES('a'), ('b')")
        try organisation["A"].store.write { try $0.insert("photo", [("name", "p")]) }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.count("SELECT count(DISTINCT id) FROM item") } == 2)
        #expect(try organisation.everywhere { try $0.count("SELECT min(length(id)) FROM item") } == 32)
        #expect(try organisation.everywhere { try $0.count("SELECT length(id) FROM photo") } == 16)
        let time = try organisation["A"].store.rows("SELECT substr(min(id), 1, 12) AS t FROM item").first?["t"].string
        #expect(try #require(time.flatMap { Int64($0, radix: 16) }) > OrganisationFixture.start)
    }

    @Test("an UPDATE of many rows changes just the columns that it changed")
    func updateMany() throws {
        let organisation = try organisation()
        try organisation["A"].sql(
            """
            INSERT INTO item(id, title, amount)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
            SELECT printf('row%03d', i), 'title', i FROM n
            """)
        try organisation.exchange()
        try organisation["A"].sql("UPDATE item SET amount = amount * 2, title = title")
        try organisation["B"].sql("UPDATE item SET title = 'changed' WHERE amount % 2 = 0")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.count("SELECT sum(amount) FROM item") } == 300 * 301 + 2)
        #expect(
            try organisation.everywhere { try $0.count("SELECT count(*) FROM item WHERE title = 'changed'") } == 150)
        #expect(try organisation["A"].store.conflicts().isEmpty)
    }

    @Test("an UPDATE to the same values is no change")
    func noChange() throws {
        let organisation = try organisation()
        let before = try organisation["A"].store.settledDigests()
        try organisation["A"].sql("UPDATE item SET title = title, ratio = 0.0 WHERE ratio IS NOT NULL OR 1")
        try organisation["A"].sql("UPDATE item SET ratio = NULL")
        try organisation["A"].sql("UPDATE item SET amount = amount")
        let sealed = try organisation["A"].seal()
        #expect(sealed.changes == 2)
        #expect(try organisation["A"].store.settledDigests() != before)
    }

    @Test("DELETE without WHERE deletes every row everywhere")
    func deleteAll() throws {
        let organisation = try organisation()
        try organisation["B"].sql("DELETE FROM item")
        try organisation["B"].sql("DELETE FROM task")
        try organisation.exchange()
        #expect(
            try organisation.everywhere { try $0.count("SELECT (SELECT count(*) FROM item) + count(*) FROM task") } == 0
        )
    }

    @Test("what a transaction did before it failed is not sent")
    func rollback() throws {
        struct Stop: Error {}
        let organisation = try organisation()
        #expect(throws: Stop.self) {
            try organisation["A"].store.write {
                try $0.insert("item", [("id", "y")])
                try $0.delete("item", id: "x")
                throw Stop()
            }
        }
        #expect(try organisation["A"].pending == 0)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM item") } == 1)
    }

    @Test("what a savepoint took back is not sent, what it released is")
    func savepoints() throws {
        let organisation = try organisation()
        try organisation["A"].store.write {
            try $0.insert("item", [("id", "kept")])
            try $0.execute("SAVEPOINT a")
            try $0.insert("item", [("id", "lost")])
            try $0.execute("SAVEPOINT b")
            try $0.delete("item", id: "x")
            try $0.execute("ROLLBACK TO a")
            try $0.execute("RELEASE a")
            try $0.execute("SAVEPOINT c")
            try $0.update("item", id: "x", [("title", "released")])
            try $0.execute("RELEASE c")
        }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.isShown("item", "kept") } == true)
        #expect(try organisation.everywhere { try $0.isShown("item", "lost") } == false)
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "released")
    }

    @Test("an insert, updates and a delete of one row between two exchanges come to nothing but their end")
    func manyChangesOfOneRow() throws {
        let organisation = try organisation()
        let cell = organisation["A"]
        try cell.insert("item", "y", [("title", "1")])
        try cell.update("item", "y", "title", "2")
        try cell.delete("item", "y")
        try cell.insert("item", "y", [("amount", 3)])
        try cell.update("item", "y", "amount", 4)
        try cell.insert("item", "z")
        try cell.delete("item", "z")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "y", "title") } == .null)
        #expect(try organisation.everywhere { try $0.value("item", "y", "amount") } == 4)
        #expect(try organisation.everywhere { try $0.isShown("item", "z") } == false)
    }

    @Test(
        "ids and channels never change",
        arguments: [
            "UPDATE item SET id = 'other'", "UPDATE task SET channel = 'plan/2'", "UPDATE OR REPLACE task SET id = 'u'",
            "INSERT OR REPLACE INTO task(id, channel) VALUES('t', 'plan/2')",
            "INSERT INTO task(id, channel) VALUES('t', 'plan/2') ON CONFLICT(id) DO UPDATE SET channel = 'plan/2'",
        ])
    func immutable(_ sql: String) throws {
        let organisation = try organisation()
        let error = #expect(throws: StoreError.self) { try organisation["B"].sql(sql) }
        #expect(error?.code == .refusedValue)
        #expect(error?.message.contains("never changes: insert a new row instead") == true)
        #expect(try organisation["B"].pending == 0)
        #expect(try organisation["B"].value("task", "t", "channel") == "plan/1")
    }

    @Test("an UPDATE that sets id and channel to what they are is allowed")
    func unchangedIdentity() throws {
        let organisation = try organisation()
        try organisation["B"].sql("UPDATE task SET id = id, channel = 'plan/1', points = 5")
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("task", "t", "points") } == 5)
    }
}
