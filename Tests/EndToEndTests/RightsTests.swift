import Foundation
import Testing

/// Rights, as an administrator and an officer meet them at the command line.
@Suite("Rights at the command line") struct RightsTests {
    private let organisation: Organisation
    private var centre: Node { organisation.centre }
    private var cell: Node { organisation["CB1"] }

    init() throws { organisation = try Organisation(["CB1", "CB2"]) }

    private func insert(_ id: String, _ channel: String, at node: Node) throws {
        try node.sql("INSERT INTO work_item(id, channel, title) VALUES('\(id)', '\(channel)', 'by \(node.name)');")
    }

    @Test("what a cell may not write is taken out again, listed, exported and forgotten")
    func rejected() throws {
        try organisation.expectSuccess(centre.kenh("central", "grant", "CB1", "plan/*", "--role", "reader"))
        try insert("W1", "plan/KH1", at: cell)
        let synced = try cell.synced()
        #expect(synced.output.contains("1 changes were taken out again") && synced.output.contains("kenh rejected"))
        #expect(try cell.sql("SELECT count(*) FROM work_item;") == "0")
        let listed = try cell.kenh("rejected")
        #expect(listed.status == 0 && listed.output.contains("W1") && listed.output.contains("by CB1"), "\(listed)")
        #expect(listed.output.contains("may not write in the channel plan/KH1"), "\(listed)")
        #expect(try cell.status()["rejectedChanges"] as? Int == 1)

        let file = organisation.folder.appendingPathComponent("rejected.json").path
        try organisation.expectSuccess(cell.kenh("rejected", "--export", file))
        let exported = try String(contentsOfFile: file, encoding: .utf8)
        #expect(exported.contains("\"title\" : \"by CB1\"") && exported.contains("notGranted"))
        let history = try cell.kenh("history", "work_item", "W1")
        #expect(history.output.contains("struck: "), "\(history)")
        try organisation.expectSuccess(cell.kenh("rejected", "--forget"))
        #expect(try cell.kenh("rejected").output == "Nothing was rejected.\n")
        try organisation.settle(minimumRows: 0)
    }

    @Test("a cell that is revoked loses the rows, and gets them back when it is granted the channel again")
    func revoked() throws {
        try insert("W1", "plan/KH1", at: cell)
        try insert("W2", "plan/KH2", at: cell)
        try organisation.settle()
        try organisation.expectSuccess(centre.kenh("central", "revoke", "CB2", "plan/KH1"))
        let synced = try organisation["CB2"].synced()
        #expect(synced.output.contains("takes no part in plan/KH1"), "\(synced)")
        #expect(try organisation["CB2"].sql("SELECT group_concat(id) FROM work_item;") == "W2")
        let listed = try centre.kenh("central", "channel", "list")
        #expect(listed.output.contains("plan/KH1  1 entries  CB1 writer, CB2 none"), "\(listed)")
        try organisation.expectSuccess(centre.kenh("central", "grant", "CB2", "plan/KH1", "--role", "reader"))
        try organisation.settle(minimumRows: 2)
        #expect(try organisation["CB2"].sql("SELECT count(*) FROM work_item;") == "2")
    }

    @Test("a closed organisation gives cells what they were granted and nothing else")
    func closed() throws {
        let home = organisation.folder.appendingPathComponent("closed")
        let other = Node(name: "closed", home: home, files: centre.files, line: nil)
        try organisation.expectSuccess(other.kenh("central", "init", "--closed"))
        let grants = try other.kenh("central", "channel", "list", "--grants")
        #expect(grants.output.hasPrefix("*  *  none  since "), "\(grants)")
    }

    @Test("roles are defined and listed; what cannot be is refused in words")
    func roles() throws {
        try organisation.expectSuccess(
            centre.kenh("central", "role", "set", "editors", "--allow", "work_item:update", "--allow", "comment"))
        let listed = try centre.kenh("central", "role", "list")
        #expect(listed.output.contains("editors  reads, writes comment (insert, update, delete), work_item (update)"))
        try organisation.expectSuccess(centre.kenh("central", "grant", "*", "plan/*", "--role", "editors"))
        try insert("W1", "plan/KH1", at: cell)
        #expect(try cell.synced().output.contains("taken out again"))

        for (arguments, status, words) in [
            (["grant", "CB9", "org"], 66, "no cell CB9"), (["grant", "CB1", "kênh"], 65, "is no channel"),
            (["grant", "CB1", "org", "--role", "boss"], 66, "no role boss"),
            (["role", "set", "writer"], 65, "is no name for a role"),
            (["role", "set", "x", "--allow", "t:drop"], 64, "none of insert, update and delete"),
            (["role", "set", "x", "--allow", ":insert"], 64, "names none"), (["revoke", "CB9", "org"], 66, "no cell"),
        ] {
            let outcome = try centre.start(["central"] + arguments).wait()
            #expect(outcome.status == Int32(status) && outcome.hasOneLineError, "\(outcome)")
            #expect(outcome.errors.contains(words), "\(outcome)")
        }
    }
}
