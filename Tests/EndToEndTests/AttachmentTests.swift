import Foundation
import KenhTesting
import Testing

@Suite("Attachments")
struct AttachmentTests {
    private let organisation: Organisation
    private let cell: Node
    private let other: Node
    private let files: URL

    init() throws {
        organisation = try Organisation(["CB1", "CB2"])
        (cell, other) = (organisation["CB1"], organisation["CB2"])
        files = organisation.folder.appendingPathComponent("documents")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('KH6/01', 'plan/KH6', 'Báo cáo');")
    }

    /// A PDF as far as anybody looks.
    private func pdf(_ name: String, _ count: Int, seed: UInt64 = 1) throws -> URL {
        let url = files.appendingPathComponent(name)
        try Data(Array("%PDF-1.7\n".utf8) + SampleBlob(count, seed: seed).bytes).write(to: url)
        return url
    }

    @discardableResult
    private func attach(_ url: URL, in node: Node? = nil, to row: String = "work_item:KH6/01") throws -> String {
        let outcome = try (node ?? cell).kenh("attach", url.path, "--to", row, "--json")
        #expect(outcome.status == 0, "\(outcome)")
        return outcome.json["id"] as? String ?? ""
    }

    private func state(_ node: Node, _ id: String) throws -> String {
        let listed = try node.kenh("attachment", "list", "--json")
        let rows = try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: Any]] ?? []
        return rows.first { $0["id"] as? String == id }?["state"] as? String ?? "none"
    }

    private func get(_ id: String, in node: Node, _ arguments: String...) throws -> (outcome: Outcome, bytes: Data?) {
        let target = files.appendingPathComponent("got-\(UUID().uuidString)")
        let outcome = try node.start(["attachment", "get", id, "--out", target.path] + arguments).wait()
        return (outcome, try? Data(contentsOf: target))
    }

    @Test("attached off line they go up after the changes, and come down equal in another cell, and at the centre")
    func roundTrip() throws {
        let url = try pdf("báo cáo.pdf", 2_500_000)
        cell.line?.arm(.up, at: 0, .cut)
        let id = try attach(url)
        #expect(try state(cell, id) == "waiting")
        #expect(try cell.kenh("status").output.contains("1 attachments wait"))
        cell.line?.disarm()
        let content = try Data(contentsOf: url)
        try FileManager.default.removeItem(at: url)
        let synced = try cell.synced()
        #expect(synced.output.contains("1 attachments sent"), "\(synced)")
        #expect(try state(cell, id) == "atTheCentre" && !cell.kenh("status").output.contains("attachments"))
        try other.synced()
        #expect(try state(other, id) == "elsewhere")
        let got = try get(id, in: other)
        #expect(got.outcome.status == 0 && got.bytes == content, "\(got.outcome)")
        try organisation.centre.synced()
        #expect(try get(id, in: organisation.centre).bytes == content)
        cell.line?.arm(.up, at: 0, .cut)
        #expect(try get(id, in: cell).bytes == content, "what is here needs no line")
        cell.line?.disarm()
        for node in organisation.nodes { #expect(try node.kenh("verify", "--deep").status == 0) }
        try organisation.settle()
    }

    @Test("what is attached at the centre comes down in a cell, by its SHA-256, too")
    func atTheCentre() throws {
        try cell.synced()
        try organisation.centre.synced()
        let url = try pdf("nghị quyết.pdf", 5000)
        let outcome = try organisation.centre.kenh("attach", url.path, "--to", "work_item:KH6/01", "--json")
        #expect(outcome.status == 0, "\(outcome)")
        try organisation.centre.synced()
        try cell.synced()
        let sha = try #require(outcome.json["sha256"] as? String)
        #expect(try get(sha, in: cell).bytes == Data(contentsOf: url))
    }

    @Test("a file that is no good is refused in one line, and nothing is left of it")
    func refusedFiles() throws {
        let empty = files.appendingPathComponent("empty.pdf")
        try Data().write(to: empty)
        let disguised = files.appendingPathComponent("script.pdf")
        try Data("#!/bin/sh\n".utf8).write(to: disguised)
        let program = files.appendingPathComponent("program.exe")
        try Data("MZ".utf8).write(to: program)
        let good = try pdf("good.pdf", 2_000_000)
        let cases: [([String], [String: String], Int32)] = [
            ([empty.path], [:], 65), ([disguised.path], [:], 65), ([program.path], [:], 65), ([files.path], [:], 65),
            ([files.appendingPathComponent("none.pdf").path], [:], 66), (["/dev/null"], [:], 65),
            ([good.path, "--name", "a.png"], [:], 65), ([good.path, "--name", ""], [:], 65),
            ([good.path], ["KENH_ATTACHMENTS_LIMIT": "1"], 65),
            ([good.path], ["KENH_ATTACHMENTS_TYPES": "image/png"], 65),
            ([good.path], ["KENH_ATTACHMENTS_TYPES": "pdf"], 78), ([good.path], ["KENH_ATTACHMENTS_LIMIT": "x"], 78),
        ]
        for (arguments, environment, status) in cases {
            let outcome = try cell.start(
                ["attach", "--to", "work_item:KH6/01"] + arguments, environment: environment
            ).wait()
            #expect(outcome.status == status && outcome.hasOneLineError, "\(outcome)")
        }
        for (row, status) in [
            ("work_item:none", 66), ("nothing:1", 65), ("attachment:1", 65), ("work_item", 64), (":", 64),
        ] {
            let outcome = try cell.kenh("attach", good.path, "--to", row)
            #expect(outcome.status == Int32(status) && outcome.hasOneLineError, "\(outcome)")
        }
        #expect(try cell.sql("SELECT count(*) FROM attachment;") == "0")
        #expect(try cell.sql("SELECT count(*) FROM kenh_transfer;") == "0")
        #expect(!cell.files().keys.contains { $0.hasPrefix("attachments/") })
    }

    @Test("are written where they were asked for, and never over a file that is there")
    func safeFiles() throws {
        let id = try attach(try pdf("a.pdf", 100))
        try cell.sql("UPDATE attachment SET name = '../../\u{202E}fdp.exe/..\\.pdf';")
        let folder = files.appendingPathComponent("out")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let outcome = try cell.kenh("attachment", "get", id, "--out", folder.path, "--json")
        #expect(outcome.status == 0, "\(outcome)")
        let written = try #require(outcome.json["file"] as? String)
        #expect(written.hasPrefix(folder.path + "/") && !written.dropFirst(folder.path.count + 1).contains("/"))
        #expect(!written.contains("\u{202E}") && !written.dropFirst(folder.path.count + 1).hasPrefix("."))
        let again = try cell.kenh("attachment", "get", id, "--out", written)
        #expect(again.status == 65 && again.hasOneLineError && again.errors.contains("--force"), "\(again)")
        try Data("x".utf8).write(to: URL(fileURLWithPath: written))
        #expect(try cell.kenh("attachment", "get", id, "--out", written, "--force").status == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: written)).count == 109)
        #expect(try cell.kenh("attachment", "get", "none").status == 66)
    }

    @Test("a centre that refuses every attachment delays no change, and says why")
    func refusingCentre() throws {
        organisation.stopCentre()
        try "kenh: {attachments: {types: image/png}}\n".write(
            to: organisation.centre.home.appendingPathComponent("kenh.yaml"), atomically: true, encoding: .utf8)
        try organisation.startCentre()
        let id = try attach(try pdf("a.pdf", 5000))
        let synced = try cell.synced()
        #expect(synced.output.contains("1 attachments wait") && synced.output.contains("application/pdf"), "\(synced)")
        #expect(try state(cell, id) == "failed")
        #expect(try cell.kenh("attachment", "list").output.contains("was not sent"))
        try other.synced()
        #expect(try other.sql("SELECT count(*) FROM attachment;") == "1", "the row is there, the file is not")
        let missing = try get(id, in: other)
        #expect(missing.outcome.status == 69 && missing.outcome.hasOneLineError && missing.bytes == nil)
        organisation.stopCentre()
        try FileManager.default.removeItem(at: organisation.centre.home.appendingPathComponent("kenh.yaml"))
        try organisation.startCentre()
        #expect(try !cell.synced().output.contains("sent;"), "it waits its time")
        #expect(try cell.kenh("attachment", "retry").status == 0)
        #expect(try cell.synced().output.contains("1 attachments sent"))
        #expect(try get(id, in: other).bytes?.count == 5009)
    }

    @Test("a kill in the middle of an upload or a download loses nothing, and the next sync ends it")
    func kills() throws {
        let url = try pdf("large.pdf", 6_000_000)
        let id = try attach(url)
        let line = try #require(cell.line)
        // The changes go over the same line before it, and are small.
        for place in [1_500_000, 3_700_000] {
            let child = try cell.start(["sync"])
            line.arm(.up, at: place, .run { child.send(SIGKILL) })
            _ = child.wait()
            line.disarm()
        }
        #expect(organisation.stopCentre(SIGKILL) != nil)
        try organisation.startCentre()
        try cell.synced()
        #expect(try state(cell, id) == "atTheCentre")
        try other.synced()
        let down = try #require(other.line)
        let child = try other.start(["attachment", "get", id, "--out", files.appendingPathComponent("x.pdf").path])
        down.arm(.down, at: 3_300_000, .run { child.send(SIGKILL) })
        _ = child.wait()
        down.disarm()
        #expect(!FileManager.default.fileExists(atPath: files.appendingPathComponent("x.pdf").path))
        let synced = try other.synced()
        #expect(synced.status == 0, "\(synced)")
        #expect(try get(id, in: other).bytes == Data(contentsOf: url))
        #expect(try organisation.centre.kenh("verify", "--deep").status == 0)
    }

    @Test("a centre that lost its attachments gets them again from the cell that gave them")
    func lostAtTheCentre() throws {
        let url = try pdf("a.pdf", 50_000)
        let id = try attach(url)
        try cell.synced()
        organisation.stopCentre()
        try FileManager.default.removeItem(at: organisation.centre.home.appendingPathComponent("blobs"))
        try organisation.startCentre()
        try other.synced()
        #expect(try get(id, in: other).outcome.status == 69)
        #expect(try cell.kenh("attachment", "retry").status == 0)
        try cell.synced()
        #expect(try cell.kenh("attachment", "retry").status == 0)
        try other.sql("UPDATE kenh_transfer SET next_at = 0;")
        #expect(try other.synced().output.contains("1 attachments fetched"))
        #expect(try get(id, in: other).bytes == Data(contentsOf: url))
    }

    @Test("a centre that was put back from a copy gets what it lacks with the cell's next sync")
    func restoredCentre() throws {
        try cell.synced()
        organisation.stopCentre()
        let (home, copy) = (organisation.centre.home, organisation.folder.appendingPathComponent("copy"))
        try FileManager.default.copyItem(at: home, to: copy)
        try organisation.startCentre()
        let url = try pdf("a.pdf", 50_000)
        let id = try attach(url)
        try cell.synced()
        organisation.stopCentre()
        try FileManager.default.removeItem(at: home)
        try FileManager.default.moveItem(at: copy, to: home)
        try organisation.startCentre()
        #expect(try cell.synced().output.contains("1 attachments sent"))
        try other.synced()
        #expect(try get(id, in: other).bytes == Data(contentsOf: url))
    }

    @Test("a centre whose index of attachments is damaged still takes changes")
    func damagedIndex() throws {
        organisation.stopCentre()
        let index = organisation.centre.home.appendingPathComponent("blobs/index.db")
        try Data("no database".utf8).write(to: index)
        try organisation.startCentre()
        let id = try attach(try pdf("a.pdf", 500))
        try cell.synced()
        #expect(try state(cell, id) == "failed")
        try other.synced()
        #expect(try other.sql("SELECT count(*) FROM attachment;") == "1")
        organisation.stopCentre()
        try FileManager.default.removeItem(at: index)
        try organisation.startCentre()
        #expect(try cell.kenh("attachment", "retry").status == 0)
        #expect(try cell.synced().output.contains("1 attachments sent"))
    }

    @Test("a damaged file is found by verify, in a cell and at the centre, and comes back", arguments: [true, false])
    func damage(_ isAtTheCentre: Bool) throws {
        let url = try pdf("a.pdf", 50_000)
        let id = try attach(url)
        try cell.synced()
        try organisation.centre.synced()
        let node = isAtTheCentre ? organisation.centre : cell
        let folder = node.home.appendingPathComponent(isAtTheCentre ? "blobs" : "attachments")
        let name = try #require(Node.content(of: folder).keys.first { $0.count == 67 })
        var bytes = try Data(contentsOf: folder.appendingPathComponent(name))
        bytes[bytes.count / 2] ^= 4
        try bytes.write(to: folder.appendingPathComponent(name))
        #expect(try node.kenh("verify").status == 0)
        let found = try node.kenh("verify", "--deep")
        #expect(found.status == 3 && found.output.contains("damaged"), "\(found)")
        if isAtTheCentre { #expect(try cell.kenh("attachment", "retry").status == 0) }
        try cell.synced()
        #expect(try node.kenh("verify", "--deep").status == 0)
        #expect(try get(id, in: node).bytes == Data(contentsOf: url))
    }

    @Test("the daemon sends them by itself, with a bound on what they take of the line, and ends at once")
    func daemon() throws {
        let id = try attach(try pdf("a.pdf", 200_000))
        let child = organisation.keep(
            try cell.start(["daemon", "--interval", "1"], environment: ["KENH_ATTACHMENTS_RATE": "1000"]))
        try Waiting.until("it is at the centre") { try state(cell, id) == "atTheCentre" }
        child.send(SIGTERM)
        #expect(child.wait().status == 0)
        let slow = try attach(try pdf("b.pdf", 3_000_000, seed: 2))
        let late = organisation.keep(
            try cell.start(["daemon", "--interval", "1"], environment: ["KENH_ATTACHMENTS_RATE": "20"]))
        try Waiting.until("its row is at the centre") {
            try organisation.centre.synced()
            return try organisation.centre.sql("SELECT count(*) FROM attachment;") == "2"
        }
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('KH6/02', 'plan/KH6', 'Mới');")
        try Waiting.until("a later change has overtaken it") {
            try organisation.centre.synced()
            return try organisation.centre.sql("SELECT count(*) FROM work_item;") == "2"
        }
        #expect(try state(cell, slow) == "waiting")
        late.send(SIGTERM)
        #expect(late.wait().status == 0)
    }
}
