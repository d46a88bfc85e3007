import Foundation
import Testing

@Suite("Damage, found and repaired")
struct RepairTests {
    private let organisation: Organisation
    private var one: Node { organisation["CB1"] }

    init() throws {
        organisation = try Organisation(["CB1", "CB2"])
        for number in 0..<20 {
            try one.sql(
                "INSERT INTO work_item(id, channel, title) VALUES('W\(number)', 'plan/KH1', 'Mượn hội trường \(number)');"
            )
        }
        for cell in organisation.cells { try cell.synced() }
        try organisation.centre.synced()
    }

    /// Turns one bit over in a text that lies in the file as it is.
    private func damage(_ text: String, in file: URL) throws {
        var data = try Data(contentsOf: file)
        let place = try #require(data.range(of: Data(text.utf8)), "the text is not in the file")
        data[place.lowerBound] ^= 4
        try data.write(to: file)
    }

    @Test("a whole store is left alone")
    func whole() throws {
        let before = one.files()
        let outcome = try one.kenh("repair")
        #expect(outcome.status == 0 && outcome.output.contains("nothing was changed"), "\(outcome)")
        #expect(one.files() == before)
    }

    @Test("a changed value in a table, a changed block, and what was not sent: all is as it was")
    func cell() throws {
        try one.sql("UPDATE work_item SET title = 'Chưa gửi' WHERE id = 'W7';")
        try one.sql("UPDATE kenh_block SET body = zeroblob(length(body)) WHERE seq = 1;")
        try damage("Mượn hội trường 13", in: one.home.appendingPathComponent("kenh.db"))
        let found = try one.kenh("verify", "--deep")
        #expect(found.status == 3 && found.output.contains("damaged"), "\(found)")

        organisation.stopCentre()
        let before = one.files()
        let without = try one.kenh("repair")
        #expect(without.status == 75 && without.hasOneLineError, "\(without)")
        #expect(one.files().filter { !$0.key.contains(".repaired") } == before)
        try organisation.startCentre()

        let outcome = try one.kenh("repair", "--json")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.json["damagedBlocks"] as? Int == 1 && outcome.json["pendingChanges"] as? Int == 1, "\(outcome)")
        #expect(try one.sql("SELECT title FROM work_item WHERE id = 'W13';") == "Mượn hội trường 13")
        try organisation.settle(minimumRows: 20)
        #expect(try organisation.centre.sql("SELECT title FROM work_item WHERE id = 'W7';") == "Chưa gửi")
        #expect(FileManager.default.fileExists(atPath: one.database + ".damaged"))
    }

    @Test("the centre's log is made anew, and the cells hand back what it lacks")
    func log() throws {
        organisation.stopCentre()
        let centre = organisation.centre
        try centre.sql(
            "UPDATE log_entry SET payload = zeroblob(length(payload)) WHERE channel = 'plan/KH1' AND sequence = 1;",
            of: "log.db")
        let found = try centre.kenh("verify")
        #expect(found.status == 3 && found.output.contains("entry 1 of plan/KH1"), "\(found)")
        try organisation.startCentre()
        let served = try centre.kenh("repair")
        #expect(served.status == 75 && served.errors.contains("being served"), "\(served)")
        #expect(!FileManager.default.fileExists(atPath: centre.home.appendingPathComponent("log.db.damaged").path))
        organisation.stopCentre()
        let outcome = try centre.kenh("repair", "--json")
        #expect(outcome.status == 0 && outcome.json["damagedEntries"] as? Int == 1, "\(outcome)")
        #expect(try centre.kenh("verify", "--deep").status == 0)
        try organisation.startCentre()
        try organisation.settle(minimumRows: 20)
    }

    @Test("a key in which a bit has changed is refused")
    func key() throws {
        let file = one.home.appendingPathComponent("device.key")
        let text = try String(contentsOf: file, encoding: .utf8)
        let changed = (text.first == "0" ? "1" : "0") + text.dropFirst()
        try changed.write(to: file, atomically: false, encoding: .utf8)
        let outcome = try one.sync()
        #expect(outcome.status == 65 && outcome.errors.contains("device.key"), "\(outcome)")
    }
}
