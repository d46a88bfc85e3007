import Foundation
import Testing

/// New keys, as an administrator and an officer meet them at the command line.
@Suite("New keys at the command line") struct KeyTests {
    private let organisation: Organisation
    private var centre: Node { organisation.centre }
    private var cell: Node { organisation["CB1"] }

    init() throws { organisation = try Organisation(["CB1", "CB2"]) }

    private var rootKey: String { centre.home.appendingPathComponent("keys/root.key").path }

    private func insert(_ id: String, at node: Node) throws {
        try node.sql("INSERT INTO work_item(id, channel, title) VALUES('\(id)', 'plan/KH1', 'by \(node.name)');")
    }

    @Test("a centre that is serving goes on with its new key, and cells take it up by themselves")
    func centreKey() throws {
        try insert("W1", at: cell)
        try organisation.settle()
        try organisation.expectSuccess(centre.kenh("central", "key", "rotate", "--root-key", rootKey))
        try insert("W2", at: cell)
        try insert("W3", at: organisation["CB2"])
        try organisation.settle(minimumRows: 3)
        let listed = try centre.kenh("central", "key", "list")
        #expect(listed.output.contains("  in use\n") && listed.output.contains("  replaced\n"), "\(listed)")
        for node in organisation.nodes {
            try organisation.expectSuccess(node.kenh("verify", "--deep"))
        }
        let file = organisation.folder.appendingPathComponent("keys.audit").path
        try organisation.expectSuccess(centre.kenh("audit", "export", file))
        let verified = try Child(KenhBinary.path, ["audit", "verify", file], in: centre.files).wait()
        #expect(verified.status == 0 && verified.output.contains("new key      the centre on "), "\(verified)")
    }

    @Test("another organisation's root key, a cell's home and a missing file are refused in words")
    func refused() throws {
        let other = Node(
            name: "other", home: organisation.folder.appendingPathComponent("other"), files: centre.files, line: nil)
        try organisation.expectSuccess(other.kenh("central", "init"))
        let root = other.home.appendingPathComponent("keys/root.key").path
        let wrong = try centre.kenh("central", "key", "rotate", "--root-key", root)
        #expect(wrong.status == 65 && wrong.hasOneLineError && wrong.errors.contains("not the root key"), "\(wrong)")
        let missing = try centre.kenh("central", "key", "rotate", "--root-key", "/nowhere/root.key")
        #expect(missing.status == 66 && missing.hasOneLineError, "\(missing)")
        let cells = try cell.kenh("central", "key", "rotate", "--root-key", rootKey)
        #expect(cells.status == 78 && cells.errors.contains("kenh key rotate"), "\(cells)")
    }

    @Test("a device goes on with its new key, and a copy of its folder is let in no more")
    func deviceKey() throws {
        try insert("W1", at: cell)
        try organisation.settle()
        let copy = Node(
            name: "copy", home: organisation.folder.appendingPathComponent("copy"), files: cell.files, line: nil)
        try FileManager.default.copyItem(at: cell.home, to: copy.home)
        try insert("W2", at: cell)
        let rotated = try cell.kenh("key", "rotate")
        #expect(rotated.status == 0 && rotated.output.contains("signs with the key"), "\(rotated)")
        try insert("W3", at: cell)
        try organisation.settle(minimumRows: 3)
        try organisation.expectSuccess(cell.kenh("verify", "--deep"))
        let refused = try copy.kenh("sync")
        #expect(refused.status != 0 && refused.errors.contains("revoked"), "\(refused)")
        let listed = try centre.kenh("central", "device", "list")
        #expect(listed.output.contains("revoked "), "\(listed)")
    }
}
