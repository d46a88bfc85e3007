import GRDB
import KenhMerge
import KenhStore
import Testing

/// Programs that know nothing of Kenh write into a store.
@Suite struct OtherToolsTests {
    private func organisation() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("item", "x", [("title", "first"), ("amount", 1), ("note", "n")])
        try organisation["A"].insert("task", "t", [("channel", "plan/1"), ("title", "task"), ("points", 1)])
        try organisation.exchange()
        return organisation
    }

    @Test("a raw GRDB connection writes like any other")
    func rawConnection() throws {
        let organisation = try organisation()
        let queue = try DatabaseQueue(path: organisation["A"].path)
        try queue.write { try $0.execute(sql: "UPDATE item SET title = 'raw'; INSERT INTO photo(name) VALUES('p')") }
        try queue.close()
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "raw")
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM photo WHERE name = 'p'") } == 1)
    }

    @Test("the sqlite3 tool's edits sync like any other")
    func commandLineTool() throws {
        let organisation = try organisation()
        try SQLiteTool.run(
            """
            BEGIN;
            INSERT INTO item(title, amount, ratio, data) VALUES('tool', 7, 0.5, x'00ff');
            UPDATE item SET note = 'by tool' WHERE id = 'x';
            INSERT INTO task(id, channel, title) VALUES('u', 'plan/2', 'new');
            DELETE FROM task WHERE id = 't';
            COMMIT;
            """, on: organisation["A"].path)
        try organisation.exchange()
        let row = try organisation["B"].store.rows("SELECT * FROM item WHERE title = 'tool'").first
        #expect(
            row?["amount"] == 7 && row?["ratio"] == 0.5 && row?["data"] == .blob([0, 255]) && row?["status"] == "open")
        #expect(try organisation.everywhere { try $0.value("item", "x", "note") } == "by tool")
        #expect(try organisation.everywhere { try $0.value("task", "u", "channel") } == "plan/2")
        #expect(try organisation.everywhere { try $0.isShown("task", "t") } == false)
        let printed = try SQLiteTool.run("SELECT title FROM task;", on: organisation["B"].path)
        #expect(printed == "new\n")
    }

    @Test("garbage in the pending table, which any tool may write, stops nothing")
    func garbagePending() throws {
        let organisation = try organisation()
        try SQLiteTool.run(
            """
            INSERT INTO kenh_pending(tbl, kind, id, ch, mask, at, officer) VALUES
                (99, 1, 'x', NULL, 1, 0, NULL), (1, 300, 'x', NULL, 1, 0, NULL), (1, -1, 'x', NULL, 1, 0, NULL),
                (1, 1, NULL, NULL, 1, 0, NULL), ('a', 'b', 'c', 'd', 'e', 'f', 'g'), (2, 0, 'v', 'kenh/x', 1, 0, NULL),
                (1, 1, 'x', NULL, -1, 9223372036854775807, x'ff');
            UPDATE item SET title = 'after';
            """, on: organisation["A"].path)
        try organisation["A"].store.setClockOffset(milliseconds: 1000)
        try organisation.send(organisation["A"])
        try organisation.receive(organisation["B"])
        #expect(try organisation["B"].value("item", "x", "title") == "after")
        #expect(try organisation["A"].pending == 0)
    }

    @Test("a row that was written while triggers were off is sent whole once it is edited")
    func unseenInsert() throws {
        let organisation = try organisation()
        try SQLiteTool.run(
            ".dbconfig enable_trigger off\nINSERT INTO item(id, title, amount) VALUES('y', 'unseen', 5), ('z', 'u', 6);",
            on: organisation["A"].path)
        #expect(try organisation["A"].store.verify().problems.count == 2)
        try organisation["A"].update("item", "y", "amount", 6)
        try organisation["B"].insert("item", "z", [("title", "seen")])
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "y", "title") } == "unseen")
        #expect(try organisation.everywhere { try $0.value("item", "y", "amount") } == 6)
        #expect(try organisation.everywhere { try $0.value("item", "z", "title") } == "seen")
    }
}
