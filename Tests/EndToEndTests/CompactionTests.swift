import Foundation
import Testing

/// Deleting for good, and old blocks in files, as an administrator and an officer meet them at the command line.
@Suite("Final deletions and archives at the command line") struct CompactionTests {
    private let organisation: Organisation
    private var centre: Node { organisation.centre }

    init() throws {
        organisation = try Organisation(["CB1", "CB2"])
        for id in 1...5 {
            try organisation["CB1"].sql(
                "INSERT INTO work_item(id, channel, title, description) VALUES('W\(id)', 'plan/KH1', 'first \(id)', 'about \(id)');"
            )
        }
        try organisation.settle(minimumRows: 5)
    }

    @discardableResult
    private func run(_ arguments: String...) throws -> Outcome {
        try organisation.expectSuccess(centre.start(["central"] + arguments).wait())
    }

    private func states(_ node: Node) throws -> String {
        try node.sql("SELECT count(*) FROM kenh_row WHERE id = 'W1';").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("a deletion is final once every device has said that it knows of it")
    func final() throws {
        let none = try run("deletion")
        #expect(none.output.contains("Nothing is waited for"), "\(none)")
        try organisation["CB2"].sql("DELETE FROM work_item WHERE id = 'W1';")
        try organisation.settle(minimumRows: 4)
        #expect(try run("deletion", "settle").output.contains("Nothing became final"))
        let waiting = try run("deletion", "list")
        #expect(waiting.output.contains("plan/KH1") && waiting.output.contains("waits for CB1"), "\(waiting)")
        try organisation["CB1"].synced()
        #expect(try run("deletion", "list").output.contains("waits for CB2"))
        try organisation["CB2"].synced()
        let settled = try run("deletion", "settle")
        #expect(settled.output.contains("1 writes of deleted rows are final in plan/KH1"), "\(settled)")
        try organisation.settle(minimumRows: 4)
        for node in organisation.nodes { #expect(try states(node) == "0") }
        let history = try organisation.expectSuccess(organisation["CB1"].kenh("history", "work_item", "W1"))
        #expect(history.output.contains("first 1"), "\(history)")
        try expectGoodAudit("deleted      1 writes of 1 blocks in plan/KH1")
        let final = try run("deletion")
        #expect(final.output.contains("plan/KH1  final on ") && final.output.contains("1 writes"), "\(final)")
    }

    @Test("whoever was away longer than anybody waits finds his edit in the list of rejected changes, whole")
    func away() throws {
        try organisation["CB1"].sql("DELETE FROM work_item WHERE id = 'W1';")
        try organisation["CB2"].sql("UPDATE work_item SET title = 'done' WHERE id = 'W1';")
        try organisation["CB1"].synced()
        try run("deletion", "settle")
        #expect(try run("deletion", "settle", "--patience", "0").output.contains("1 writes"))
        let synced = try organisation["CB2"].synced()
        #expect(synced.output.contains("kenh rejected"), "\(synced)")
        let rejected = try organisation["CB2"].kenh("rejected")
        for words in ["W1", "done", "about 1", "deleted for good"] {
            #expect(rejected.output.contains(words), "\(words) in \(rejected)")
        }
        try organisation.settle(minimumRows: 4)
    }

    @Test("old blocks are moved into files, which are checked, restored from a backup, and put back")
    func archives() throws {
        #expect(try run("archive").output.contains("There are none"))
        #expect(try run("archive", "make", "--age", "0").output.contains("Nothing is old enough"))
        let unknown = try centre.kenh("central", "archive", "make", "plan/none")
        #expect(unknown.status == 66 && unknown.hasOneLineError, "\(unknown)")
        try run("snapshot", "make", "plan/KH1")
        let made = try run("archive", "make", "plan/KH1", "--age", "0")
        #expect(made.output.contains("plan/KH1  entries 1 to 1, 1 blocks"), "\(made)")
        #expect(try run("archive", "verify").output.contains("1 archive files: all good"))
        try expectGoodAudit("5 changes")
        try organisation.settle(minimumRows: 5)

        let backup = organisation.folder.appendingPathComponent("backup")
        organisation.stopCentre()
        try FileManager.default.copyItem(at: centre.home, to: backup)
        let folder = centre.home.appendingPathComponent("archives")
        try FileManager.default.removeItem(at: folder)
        let missing = try centre.kenh("central", "archive", "verify")
        #expect(missing.status == 3 && missing.output.contains("is missing or damaged"), "\(missing)")
        try organisation.expectSuccess(centre.kenh("central", "restore", backup.path))
        #expect(try run("archive", "verify").output.contains("1 archive files: all good"))
        try run("archive", "restore", "plan/KH1")
        #expect(try run("archive", "list").output.contains("restored"))
        let again = try centre.kenh("central", "archive", "restore", "plan/KH1")
        #expect(again.status == 66 && again.hasOneLineError, "\(again)")
        try organisation.startCentre()
        let other = try organisation.join("CB3")
        try other.synced()
        try organisation.settle(minimumRows: 5)
    }

    private func expectGoodAudit(_ words: String) throws {
        let file = organisation.folder.appendingPathComponent("\(UUID().uuidString).audit").path
        try organisation.expectSuccess(centre.kenh("audit", "export", file))
        let audited = try Child(KenhBinary.path, ["audit", "verify", file], in: centre.files).wait()
        #expect(audited.status == 0 && audited.output.contains(words), "\(audited)")
    }
}
