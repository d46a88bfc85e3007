import Foundation
import Testing

/// Homes that earlier versions left are opened, checked, served and synced by this one.
@Suite("Recorded homes") struct RecordedTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Recorded").standardizedFileURL
    static let versions: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { FileManager.default.fileExists(atPath: folder.path + "/\($0)/homes.tar.gz") }.sorted()
    }()

    @Test("there are some") func some() { #expect(!Self.versions.isEmpty) }

    @Test("of a version are read, and go on", arguments: versions)
    func homes(_ version: String) throws {
        let recorded = Self.folder.appendingPathComponent(version)
        let fixture = try Organisation([])
        fixture.stopCentre()
        let homes = fixture.folder.appendingPathComponent("recorded")
        try FileManager.default.createDirectory(at: homes, withIntermediateDirectories: true)
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar", "-xzf", recorded.appendingPathComponent("homes.tar.gz").path, "-C", homes.path]
        try tar.run()
        tar.waitUntilExit()
        let nodes = ["centre", "CB1", "CB2"].map {
            Node(name: $0, home: homes.appendingPathComponent($0), files: fixture.folder, line: nil)
        }
        let expected = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: recorded.appendingPathComponent("expected.json")))
                as? [String: [String: Any]])
        for node in nodes {
            try fixture.expectSuccess(node.kenh("verify", "--deep"))
            let wanted = try #require(expected[node.name])
            let digests = try #require(wanted["digests"] as? [String: String])
            #expect(try node.digests() == digests.filter { !$0.key.hasPrefix("kenh/") }, "\(node.name)")
            try expectTables(of: node, wanted)
        }
        try fixture.expectSuccess(
            Child(
                KenhBinary.path, ["audit", "verify", recorded.appendingPathComponent("log.audit").path],
                in: fixture.folder
            ).wait())
        try goOn(nodes, fixture)
    }

    private func expectTables(of node: Node, _ wanted: [String: Any]) throws {
        let tables = try #require(wanted["tables"] as? [String: [[String: Any]]])
        for (table, rows) in tables {
            let text = try node.sql(".mode json\nSELECT * FROM \(table) ORDER BY id;")
            let found = (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]) ?? []
            // Later versions may have columns more.
            #expect(found.count == rows.count, "\(node.name) \(table)")
            for (row, old) in zip(found, rows) {
                for (column, value) in old {
                    #expect("\(row[column] ?? "nothing")" == "\(value)", "\(node.name) \(table) \(column)")
                }
            }
        }
        for list in ["conflicts", "rejected"] {
            let listed = try fixtureList(node, list)
            #expect(listed == wanted[list] as? Int, "\(node.name) \(list)")
        }
    }

    private func fixtureList(_ node: Node, _ list: String) throws -> Int {
        let output = try node.kenh(list, "--json").output
        return ((try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [Any])?.count ?? -1
    }

    /// The cells sync with the centre, write, and a new one joins.
    private func goOn(_ nodes: [Node], _ fixture: Organisation) throws {
        let (centre, cells) = (nodes[0], nodes[1...])
        let portFile = fixture.folder.appendingPathComponent("recorded-port")
        _ = fixture.keep(try centre.start(["central", "serve", "--port", "0", "--port-file", portFile.path]))
        var port = ""
        try Waiting.until("the recorded centre serves") {
            port = (try? String(contentsOf: portFile, encoding: .utf8)) ?? ""
            return port.hasSuffix("\n")
        }
        let address = "http://127.0.0.1:\(port.dropLast())"
        for cell in cells { try cell.sql("UPDATE kenh_meta SET value = '\(address)' WHERE key = 'centre_url';") }
        try cells[1].sql("INSERT INTO work_item(id, channel, title) VALUES('NEW', 'plan/KH1', 'by a later version');")
        let new = Node(
            name: "CB1", home: fixture.folder.appendingPathComponent("new"), files: fixture.folder, line: nil)
        let code = try fixture.expectSuccess(centre.kenh("central", "device", "add", "CB1")).output
        try fixture.expectSuccess(new.kenh("join", address, input: code))
        for _ in 1...2 {
            for cell in cells + [new] { try cell.synced() }
            try fixture.expectSuccess(centre.kenh("sync"))
        }
        #expect(try new.digests() == nodes[1].digests())
        for node in nodes + [new] { try fixture.expectSuccess(node.kenh("verify", "--deep")) }
    }
}
