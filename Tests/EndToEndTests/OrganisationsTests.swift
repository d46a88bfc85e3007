import Foundation
import Testing

/// Two organisations that one process serves, as their administrator and their cells meet it.
@Suite("Several organisations at the command line") struct OrganisationsTests {
    private let fixture: Organisation
    private let folder: URL

    init() throws {
        // Its centre is not needed: the folder and its processes are.
        fixture = try Organisation([])
        fixture.stopCentre()
        folder = fixture.folder.appendingPathComponent("organisations")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func node(_ name: String) -> Node {
        Node(name: name, home: folder.appendingPathComponent(name), files: fixture.folder, line: nil)
    }

    private func begin(_ name: String) throws -> Node {
        let centre = node(name)
        try fixture.expectSuccess(centre.kenh("central", "init", "--name", "Organisation \(name)"))
        try fixture.expectSuccess(centre.kenh("central", "cell", "add", "CB1"))
        return centre
    }

    private func serve() throws -> (child: Child, address: String) {
        let portFile = fixture.folder.appendingPathComponent("port-of-all")
        try? FileManager.default.removeItem(at: portFile)
        let child = fixture.keep(
            try Child(
                KenhBinary.path,
                [
                    "central", "serve", "--organisations", folder.path, "--port", "0", "--port-file", portFile.path,
                ], in: fixture.folder))
        var port = ""
        try Waiting.until("both are served") {
            guard child.isRunning else { throw TestFailure("not served: \(child.wait())") }
            port = (try? String(contentsOf: portFile, encoding: .utf8)) ?? ""
            return port.hasSuffix("\n")
        }
        return (child, "http://127.0.0.1:\(port.dropLast())")
    }

    private func join(_ centre: Node, _ address: String) throws -> Node {
        let code = try fixture.expectSuccess(centre.kenh("central", "device", "add", "CB1")).output
        let cell = Node(
            name: "CB1", home: fixture.folder.appendingPathComponent("cell-\(centre.name)"), files: fixture.folder,
            line: nil)
        try fixture.expectSuccess(cell.kenh("join", "\(address)/\(centre.name)", input: code))
        return cell
    }

    private func titles(_ node: Node) throws -> String { try node.sql("SELECT group_concat(title) FROM work_item;") }

    @Test("each has its cells, rows and audit; what is added, removed or damaged is the others' no business")
    func together() throws {
        let (a, b) = (try begin("cong-doan-a"), try begin("b"))
        let (server, address) = try serve()
        let cells = [try join(a, address), try join(b, address)]
        for (cell, name) in zip(cells, ["A", "B"]) {
            try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('W1', 'plan/KH1', 'of \(name)');")
            try cell.synced()
        }
        for (centre, name) in zip([a, b], ["A", "B"]) {
            try fixture.expectSuccess(centre.kenh("sync"))
            #expect(try titles(centre).trimmingCharacters(in: .whitespacesAndNewlines) == "of \(name)")
            let file = fixture.folder.appendingPathComponent("\(name).audit").path
            try fixture.expectSuccess(centre.kenh("audit", "export", file))
            try fixture.expectSuccess(Child(KenhBinary.path, ["audit", "verify", file], in: fixture.folder).wait())
        }
        #expect(try cells[0].digests() != cells[1].digests())
        let wrong = try cells[0].kenh("join", "\(address)/b", input: "x")
        #expect(wrong.status == 65, "\(wrong)")

        // A cell's home among them is said to be none, and left as it is.
        try FileManager.default.copyItem(at: cells[0].home, to: folder.appendingPathComponent("cell"))
        let listed = try Child(KenhBinary.path, ["central", "organisation", "list", folder.path], in: fixture.folder)
            .wait()
        #expect(listed.output.contains("b  Organisation b") && listed.output.contains(", served"), "\(listed)")
        #expect(listed.output.contains("cell  it has no log.db"), "\(listed)")
        #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("cell/log.db").path))
        try FileManager.default.removeItem(at: folder.appendingPathComponent("cell"))

        // A third comes, the second goes, the first is copied.
        let c = try begin("c")
        try FileManager.default.moveItem(
            at: b.home, to: fixture.folder.appendingPathComponent("moved"))
        try FileManager.default.copyItem(at: a.home, to: folder.appendingPathComponent("copy"))
        server.send(SIGHUP)
        var third: Node?
        try Waiting.until("the third is served") {
            third = try? join(c, address)
            return third != nil
        }
        try #require(third).synced()
        try cells[0].synced()
        let gone = try cells[1].kenh("sync")
        #expect(gone.status != 0 && gone.hasOneLineError, "\(gone)")
        server.send(SIGTERM)
        let log = server.wait().errors
        #expect(log.contains("the same organisation as cong-doan-a"), "\(log)")
    }

    @Test("a home that is damaged, in use or no centre's is named, and the others are served")
    func damaged() throws {
        let (a, b) = (try begin("a"), try begin("b"))
        try Data("this is no database".utf8).write(to: b.home.appendingPathComponent("log.db"))
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("Bad Name"), withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("empty"), withIntermediateDirectories: true)
        let (server, address) = try serve()
        let cell = try join(a, address)
        try cell.synced()
        let second = try a.kenh("central", "serve", "--port", "0")
        #expect(second.status == 75 && second.hasOneLineError, "\(second)")
        server.send(SIGTERM)
        let log = server.wait().errors
        for name in ["organisation=b", "organisation=empty", "Bad Name"] { #expect(log.contains(name), "\(log)") }
        let usage = try a.kenh("central", "serve", "--organisations", folder.path)
        #expect(usage.status == 64 && usage.hasOneLineError, "\(usage)")
    }

    @Test("a home is served once it is free, once exchanged from its new files, once renamed by its new name")
    func lockedAndExchanged() throws {
        let (a, b) = (try begin("a"), try begin("b"))
        let portFile = fixture.folder.appendingPathComponent("port-of-a")
        let alone = fixture.keep(
            try a.start(["central", "serve", "--port", "0", "--port-file", portFile.path]))
        try Waiting.until("the first is served alone") { FileManager.default.fileExists(atPath: portFile.path) }
        let (server, address) = try serve()
        try join(b, address).synced()
        let code = try fixture.expectSuccess(a.kenh("central", "device", "add", "CB1")).output
        let cell = Node(
            name: "CB1", home: fixture.folder.appendingPathComponent("cell-a"), files: fixture.folder, line: nil)
        let refused = try cell.kenh("join", "\(address)/a", input: code)
        #expect(refused.status != 0 && refused.hasOneLineError, "\(refused)")
        #expect(server.errorsSoFar.contains("is being served by another process"))

        alone.send(SIGTERM)
        _ = alone.wait()
        server.send(SIGHUP)
        try Waiting.until("it is served with the other") {
            try cell.kenh("join", "\(address)/a", input: code).status == 0
        }
        let old = fixture.folder.appendingPathComponent("moved")
        try FileManager.default.moveItem(at: a.home, to: old)
        try FileManager.default.copyItem(at: old, to: a.home)
        server.send(SIGHUP)
        try Waiting.until("it is begun anew") {
            try server.errorsSoFar.contains("no longer served") && cell.sync().status == 0
        }
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('W1', 'plan/KH1', 'in the new files');")
        try cell.synced()
        let another = try fixture.expectSuccess(a.kenh("central", "device", "add", "CB1")).output
        let renamed = node("renamed")
        try FileManager.default.moveItem(at: a.home, to: renamed.home)
        server.send(SIGHUP)
        let newcomer = Node(
            name: "CB1", home: fixture.folder.appendingPathComponent("newcomer"), files: fixture.folder, line: nil)
        try Waiting.until("it is served under its new name") {
            try newcomer.kenh("join", "\(address)/renamed", input: another).status == 0
        }
        server.send(SIGTERM)
        _ = server.wait()
        try fixture.expectSuccess(renamed.kenh("sync"))
        #expect(try titles(renamed) == "in the new files")
    }
}
