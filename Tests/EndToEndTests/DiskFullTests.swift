import Foundation
import Testing

@Suite("A full disk")
struct DiskFullTests {
    private let organisation: Organisation

    init() throws { organisation = try Organisation(["CB1"]) }

    private func disk(_ name: String, kibibytes: Int) throws -> SmallDisk {
        try SmallDisk(
            at: organisation.folder.appendingPathComponent(name), kibibytes: kibibytes, files: organisation.centre.files
        )
    }

    private func fill() throws {
        try organisation["CB1"].sql(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
            INSERT INTO work_item(id, channel, title, description)
            SELECT 'A/' || i, 'plan/KH1', 'Việc ' || i, hex(randomblob(500)) FROM n;
            """)
    }

    @Test("under a cell ends its sync with 74 and leaves its store as it was; with room again all goes on")
    func cell() throws {
        try fill()
        try organisation["CB1"].synced()
        let disk = try disk("cells/CB2", kibibytes: 1024)
        let node = try organisation.prepare("CB2")
        let code = try organisation.code(for: "CB2")
        let joined = try disk.start(["join", try #require(node.line).url, "--home", node.home.path], input: code).wait()
        #expect(joined.status == 0, "\(joined)")
        for _ in 0..<2 {
            let full = try disk.start(["sync", "--home", node.home.path]).wait()
            #expect(full.status == 74 && full.hasOneLineError, "\(full)")
            #expect(full.errors.contains("free") || full.errors.contains("disk"), "\(full)")
            let seen = try disk.start(["status", "--home", node.home.path]).wait()
            #expect(seen.status == 0, "\(seen)")
            #expect(try node.sql("SELECT count(*) FROM work_item;") == "0")
        }
        try disk.grow()
        organisation.adopt(node)
        try organisation.settle(minimumRows: 2000)
        organisation.release(node)
    }

    @Test("under a device that joins keeps its code good, so that it can join with more room")
    func join() throws {
        let disk = try disk("cells/CB2", kibibytes: 24)
        let node = try organisation.prepare("CB2")
        let url = try #require(node.line).url
        let code = try organisation.code(for: "CB2")
        let full = try disk.start(["join", url, "--home", node.home.path], input: code).wait()
        #expect(full.status == 74 && full.hasOneLineError, "\(full)")
        try disk.grow()
        let joined = try disk.start(["join", url, "--home", node.home.path], input: code).wait()
        #expect(joined.status == 0, "\(joined)")
        #expect(try node.sync().status == 0)
    }

    @Test("under a new centre makes no half centre, and init can be done again with more room")
    func initialise() throws {
        let disk = try disk("new", kibibytes: 24)
        let arguments = ["central", "init", "--home", disk.folder.path]
        let full = try disk.start(arguments).wait()
        #expect(full.status == 74 && full.hasOneLineError, "\(full)")
        let serving = try disk.start(["central", "serve", "--port", "0", "--home", disk.folder.path]).wait()
        #expect(serving.status != 0 && serving.hasOneLineError, "\(serving)")
        try disk.grow()
        let made = try disk.start(arguments).wait()
        #expect(made.status == 0, "\(made)")
        let again = try disk.start(arguments).wait()
        #expect(again.status == 65 && again.hasOneLineError, "\(again)")
    }

    @Test("under the centre is told to the cell, which keeps its work and sends it when there is room")
    func centre() throws {
        let disk = try disk("other", kibibytes: 2048)
        let home = disk.folder.path
        let other = Node(name: "other", home: disk.folder, files: organisation.centre.files, line: nil)
        #expect(try disk.start(["central", "init", "--home", home]).wait().status == 0)
        #expect(try disk.start(["central", "cell", "add", "CB2", "--home", home]).wait().status == 0)
        let code = try disk.start(["central", "device", "add", "CB2", "--home", home, "--json"]).wait().json["code"]
        let cell = try organisation.prepare("CB2")
        let line = try #require(cell.line)
        let server = try serve(disk, line)
        #expect(try cell.kenh("join", line.url, input: code as? String ?? "").status == 0)
        try cell.sql(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
            INSERT INTO work_item(id, channel, title, description)
            SELECT 'A/' || i, 'plan/KH1', 'Việc ' || i, hex(randomblob(600)) FROM n;
            """)
        for _ in 0..<2 {
            let refused = try cell.sync()
            #expect(refused.status == 75 && refused.hasOneLineError, "\(refused)")
        }
        #expect(server.isRunning)
        try disk.grow()
        server.send(SIGTERM)
        #expect(server.wait().status == 0)
        let grown = try serve(disk, line)
        try cell.synced()
        grown.send(SIGTERM)
        #expect(grown.wait().status == 0)
        #expect(try other.sync().status == 0)
        #expect(try other.sql("SELECT count(*) FROM work_item;") == "4000")
        #expect(try other.digests() == cell.digests())
    }

    private func serve(_ disk: SmallDisk, _ line: Line) throws -> Child {
        let portFile = organisation.folder.appendingPathComponent("port-\(UUID().uuidString)")
        let server = organisation.keep(
            try disk.start([
                "central", "serve", "--home", disk.folder.path, "--port", "0", "--port-file", portFile.path,
            ]))
        try Waiting.until("the centre serves") {
            guard let text = try? String(contentsOf: portFile, encoding: .utf8), let port = UInt16(text.dropLast())
            else { return false }
            line.retarget(port)
            return true
        }
        return server
    }
}
