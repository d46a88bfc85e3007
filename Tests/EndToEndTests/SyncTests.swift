import Foundation
import Testing

@Suite("From one store to all others")
struct SyncTests {
    @Test("an edit by the sqlite3 tool in a cell shows at the centre, in its history, and in another cell")
    func cellToAll() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let (one, two) = (organisation["CB1"], organisation["CB2"])
        try one.sql("INSERT INTO work_item(id, channel, title, weight) VALUES('KH6/01', 'plan/KH6', 'Hội thảo', 1.5);")
        try one.synced()
        try organisation.centre.synced()
        try one.sql("UPDATE work_item SET title = 'Hội thảo “khoa học”' WHERE id = 'KH6/01';")
        try one.synced()
        try organisation.centre.synced()
        let shown = "SELECT title, weight FROM work_item WHERE id = 'KH6/01';"
        #expect(try organisation.centre.sql(shown) == "Hội thảo “khoa học”|1.5")
        try two.synced()
        #expect(try two.sql(shown) == "Hội thảo “khoa học”|1.5")
        try organisation.settle()
    }

    @Test("an edit by the sqlite3 tool at the centre goes out to all cells")
    func centreToAll() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        try organisation.centre.sql(
            """
            INSERT INTO sub_plan(id, code, title) VALUES('KH1', 'KH1', 'Kế hoạch 1');
            UPDATE sub_plan SET state = 'open' WHERE id = 'KH1';
            """)
        for cell in organisation.cells {
            try Waiting.until("\(cell.name) has the centre's edit") {
                try cell.synced()
                return try cell.sql("SELECT title || state FROM sub_plan;") == "Kế hoạch 1open"
            }
        }
        try organisation.settle()
    }

    @Test("a deletion and an edit of the same row at the same time are settled alike by all")
    func deletionMeetsEdit() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let (one, two) = (organisation["CB1"], organisation["CB2"])
        try one.sql("INSERT INTO work_item(id, channel, title) VALUES('A', 'plan/KH1', 'Việc');")
        for cell in [one, two] { try cell.synced() }
        try one.sql("DELETE FROM work_item WHERE id = 'A';")
        try two.sql("UPDATE work_item SET accountable = 'CB2-01' WHERE id = 'A';")
        try organisation.settle()
        #expect(try one.sql("SELECT accountable FROM work_item WHERE id = 'A';") == "CB2-01")
        let listed = try organisation.centre.kenh("conflicts")
        #expect(listed.status == 0 && listed.output.contains("was deleted while CB2 edited it; kept"), "\(listed)")
    }

    @Test("two values written at the same time are both kept, and a choice between them reaches everybody")
    func conflict() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let (one, two) = (organisation["CB1"], organisation["CB2"])
        try one.sql("INSERT INTO work_item(id, channel, title) VALUES('A', 'plan/KH1', 'Việc');")
        for cell in [one, two] { try cell.synced() }
        try one.sql("UPDATE work_item SET accountable = 'CB1-01' WHERE id = 'A';")
        try two.sql("UPDATE work_item SET accountable = 'CB2-01' WHERE id = 'A';")
        try organisation.settle()
        let listed = try two.kenh("conflicts", "--json")
        #expect(listed.output.contains("CB1-01") && listed.output.contains("CB2-01"), "\(listed)")
        #expect(try two.kenh("conflicts", "resolve", "work_item", "A", "accountable", "--value", "CB1-02").status == 0)
        try organisation.settle()
        for node in organisation.nodes {
            #expect(try node.sql("SELECT accountable FROM work_item;") == "CB1-02")
            #expect(try node.kenh("conflicts").output == "No conflicts.\n")
        }
    }

    @Test("history tells who wrote what, for people and for programs")
    func history() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('KH6/01', 'plan/KH6', 'Một');")
        try cell.synced()
        try cell.sql("UPDATE work_item SET title = 'Hai' WHERE id = 'KH6/01';")
        #expect(try cell.kenh("status").output.contains("1 changes unsent"))
        try cell.synced()
        try organisation.centre.synced()
        let text = try organisation.centre.kenh("history", "work_item", "KH6/01")
        #expect(text.status == 0, "\(text)")
        #expect(text.output.contains("title = Một") && text.output.contains("title = Hai"), "\(text)")
        #expect(text.output.contains("CB1") && text.output.contains("accepted"), "\(text)")
        let json = try organisation.centre.kenh("history", "work_item", "KH6/01", "--json")
        let items = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]] ?? []
        #expect(items.map { ($0["values"] as? [String: String])?["title"] } == ["Một", "Hai"], "\(json)")
        #expect(items.allSatisfy { $0["author"] as? String == "CB1" && $0["acceptedAt"] != nil }, "\(json)")
        #expect(items.allSatisfy { $0["channel"] as? String == "plan/KH6" }, "\(json)")
    }

    @Test("a sync while the daemon syncs the same store does no harm")
    func twoAtOnce() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let cell = organisation["CB1"]
        let daemon = organisation.keep(try cell.start(["daemon", "--interval", "1"]))
        for round in 0..<5 {
            try cell.sql(
                """
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                INSERT INTO work_item(id, channel, title) SELECT '\(round)/' || i, 'plan/KH1', 'Việc ' || i FROM n;
                """)
            let both = [try cell.start(["sync"]), try cell.start(["sync"])]
            for outcome in both.map({ $0.wait() }) { #expect(outcome.status == 0, "\(outcome)") }
        }
        daemon.send(SIGTERM)
        #expect(daemon.wait().status == 0)
        try organisation.settle(minimumRows: 1000)
    }
}
