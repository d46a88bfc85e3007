import Foundation
import Testing

@Suite("Backups that are put back")
struct RestoreTests {
    private let organisation: Organisation
    private var one: Node { organisation["CB1"] }
    private var two: Node { organisation["CB2"] }

    init() throws { organisation = try Organisation(["CB1", "CB2"]) }

    private func backUp(_ node: Node) throws -> URL {
        let copy = organisation.folder.appendingPathComponent("backup-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: node.home, to: copy)
        return copy
    }

    private func putBack(_ copy: URL, _ node: Node) throws {
        try FileManager.default.removeItem(at: node.home)
        try FileManager.default.copyItem(at: copy, to: node.home)
    }

    private func insert(_ id: String, _ node: Node) throws {
        try node.sql("INSERT INTO work_item(id, channel, title) VALUES('\(id)', 'plan/KH1', 'Việc \(id)');")
    }

    @Test("of the centre: it begins a new epoch, and cells hand back what it lacks, a whole cell's enrolment included")
    func centre() throws {
        try insert("a", one)
        for cell in organisation.cells { try cell.synced() }
        organisation.stopCentre()
        let copy = try backUp(organisation.centre)
        try organisation.startCentre()

        try insert("lost", one)
        try one.synced()
        try two.synced()
        try two.sql("UPDATE work_item SET title = 'Sửa' WHERE id = 'lost';")
        let three = try organisation.join("CB3")
        try insert("by CB3", three)
        for cell in organisation.cells { try cell.synced() }
        organisation.stopCentre()
        try putBack(copy, organisation.centre)
        try organisation.startCentre()

        let outcome = try one.kenh("sync", "--json")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.json["handedBackBlocks"] as? Int ?? 0 >= 1, "\(outcome)")
        try insert("after", three)
        try organisation.settle(minimumRows: 4)
        #expect(try organisation.centre.sql("SELECT title FROM work_item WHERE id = 'lost';") == "Sửa")
        #expect(try organisation.centre.sql("SELECT count(*) FROM log_epoch;", of: "log.db") == "2")
        let status = try one.kenh("status")
        #expect(status.output.contains("restored from an older copy"), "\(status)")
    }

    @Test("of the centre's log, by the command: nothing is lost that the tables or a cell have")
    func command() throws {
        let centre = organisation.centre
        try insert("a", one)
        try one.synced()
        organisation.stopCentre()
        let copy = try backUp(centre)
        try organisation.startCentre()
        try insert("lost", one)
        for cell in organisation.cells { try cell.synced() }
        try insert("by the centre", centre)
        try centre.synced()
        let busy = try centre.kenh("central", "restore", copy.path)
        #expect(busy.status == 75 && busy.hasOneLineError && busy.errors.contains("stop that first"), "\(busy)")
        organisation.stopCentre()
        let older = try centre.kenh("central", "restore", copy.path)
        #expect(older.status == 65 && older.errors.contains("nothing was changed"), "\(older)")

        try FileManager.default.removeItem(atPath: centre.home.path + "/log.db")
        try FileManager.default.removeItem(atPath: centre.home.path + "/keys/serving.key")
        let restored = try organisation.expectSuccess(centre.kenh("central", "restore", copy.path))
        #expect(restored.output.contains("Taken from the backup, too: keys/serving.key"), "\(restored)")
        try organisation.startCentre()
        try insert("after", two)
        try organisation.settle(minimumRows: 4)
        #expect(try centre.sql("SELECT count(*) FROM work_item;") == "4")
        #expect(try centre.sql("SELECT count(*) FROM log_epoch;", of: "log.db") == "2")
    }

    @Test("that are none, or of another centre, are refused, and nothing is changed")
    func badBackups() throws {
        organisation.stopCentre()
        let centre = organisation.centre
        let log = centre.home.appendingPathComponent("log.db")
        let before = try Data(contentsOf: log)
        let nothing = try centre.kenh("central", "restore", organisation.folder.path)
        #expect(nothing.status == 66 && nothing.hasOneLineError, "\(nothing)")
        let other = Node(
            name: "other", home: organisation.folder.appendingPathComponent("other"), files: centre.files, line: nil)
        try organisation.expectSuccess(other.kenh("central", "init"))
        try organisation.expectSuccess(other.kenh("central", "cell", "add", "CB9"))
        let wrong = try centre.kenh("central", "restore", other.home.path, "--force")
        #expect(wrong.status == 65 && wrong.errors.contains("another organisation's"), "\(wrong)")
        #expect(try Data(contentsOf: log) == before)
        #expect(!FileManager.default.fileExists(atPath: log.path + ".restoring"))
    }

    @Test("of a cell: it takes back what it had sent, says so, and writes under a new replica id")
    func cell() throws {
        try insert("a", one)
        try one.synced()
        let copy = try backUp(one)
        try insert("lost", one)
        try one.sql("UPDATE work_item SET title = 'before' WHERE id = 'a';")
        try one.synced()
        try putBack(copy, one)
        try one.sql("UPDATE work_item SET title = 'on the old copy' WHERE id = 'a';")
        let before = try one.sql("SELECT hex(value) FROM kenh_meta WHERE key = 'replica';")
        let outcome = try one.synced()
        #expect(outcome.output.contains("came back"), "\(outcome)")
        #expect(try one.sql("SELECT hex(value) FROM kenh_meta WHERE key = 'replica';") != before)
        #expect(try one.kenh("status").output.contains("older copy of itself"))
        try insert("later", one)
        try organisation.settle(minimumRows: 3)
        let conflicts = try organisation.centre.kenh("conflicts")
        #expect(conflicts.output.contains("before") && conflicts.output.contains("on the old copy"), "\(conflicts)")
    }
}
