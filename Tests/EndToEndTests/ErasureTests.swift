import Foundation
import Testing

/// Values that are taken out of the history, as an administrator does it, with the real program and its files.
@Suite("Erasing at the command line") struct ErasureTests {
    private static let secret = "0912-345-678"
    private let organisation: Organisation
    private var centre: Node { organisation.centre }
    private var one: Node { organisation["CB1"] }
    private var two: Node { organisation["CB2"] }

    init() throws {
        organisation = try Organisation(["CB1", "CB2"])
        try one.sql(
            """
            INSERT INTO work_item(id, channel, title, contact) VALUES('W1', 'plan/KH1', 'Hall', '\(Self.secret)');
            INSERT INTO work_item(id, channel, title, contact) VALUES('W2', 'plan/KH1', 'Bus', 'stays');
            """)
        try one.synced()
        try two.sql("UPDATE work_item SET contact = contact || ' x' WHERE id = 'W1';")
        try two.synced()
        try two.sql("UPDATE work_item SET contact = '\(Self.secret) home' WHERE id = 'W1';")
        try organisation.settle(minimumRows: 2)
    }

    private func backUp(_ node: Node) throws -> URL {
        let copy = organisation.folder.appendingPathComponent("backup-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: node.home, to: copy)
        return copy
    }

    private func putBack(_ copy: URL, _ node: Node) throws {
        try FileManager.default.removeItem(at: node.home)
        try FileManager.default.copyItem(at: copy, to: node.home)
    }

    /// Files of the home that hold the value.
    private func holders(_ node: Node) -> [String] {
        node.files().filter { $0.value.range(of: Data(Self.secret.utf8)) != nil }.keys.sorted()
    }

    private func erase(_ arguments: String...) throws -> Outcome {
        try centre.start(["central", "erase"] + arguments).wait()
    }

    private func list() throws -> String {
        try organisation.expectSuccess(centre.kenh("central", "erasure", "list")).output
    }

    @Test("a value goes from every file of everybody, who confirm it, and from every copy that is put back")
    func erased() throws {
        let cellCopy = try backUp(two)
        organisation.stopCentre()
        let centreCopy = try backUp(centre)
        try organisation.startCentre()
        #expect(!holders(centre).isEmpty && !holders(one).isEmpty && !holders(two).isEmpty)

        let dry = try organisation.expectSuccess(erase("work_item:W1", "--reason", "asked", "--dry-run"))
        #expect(dry.output.hasPrefix("2 values of work_item:W1 would be erased:"), "\(dry)")
        let erased = try organisation.expectSuccess(erase("work_item:W1", "--reason", "asked on 3 May", "--yes"))
        #expect(erased.output.hasPrefix("Erased 2 values of work_item:W1."), "\(erased)")
        #expect(holders(centre) == [], "while it serves")
        #expect(try list().contains("not confirmed since then by CB1 “") && list().contains("CB2 “"))
        let synced = try one.synced()
        #expect(synced.output.contains("1 erasures were followed"), "\(synced)")
        #expect(holders(one) == [])
        #expect(try !list().contains("CB1 “") && list().contains("CB2 “"))
        try two.synced()
        #expect(try holders(two) == [] && list().contains("confirmed by all"))
        try organisation.settle(minimumRows: 2)
        for node in organisation.nodes {
            #expect(try node.sql("SELECT quote(contact) FROM work_item ORDER BY id;") == "NULL\n'stays'")
            let history = try node.kenh("history", "work_item", "W1")
            #expect(history.output.contains("contact was erased, 2") && history.output.contains(": asked on 3 May"))
            let verified = try node.kenh("verify", "--deep")
            #expect(verified.output.contains("2 erased values accounted for: all good"), "\(verified)")
        }
        let audit = organisation.folder.appendingPathComponent("x.audit").path
        try organisation.expectSuccess(centre.kenh("audit", "export", audit))
        let audited = try Child(KenhBinary.path, ["audit", "verify", audit], in: centre.files).wait()
        #expect(audited.status == 0 && audited.output.contains("2 erased values are accounted for"), "\(audited)")

        try putBack(cellCopy, two)
        #expect(!holders(two).isEmpty)
        try two.synced()
        #expect(try holders(two) == [] && list().contains("confirmed by all"))

        organisation.stopCentre()
        try putBack(centreCopy, centre)
        try organisation.startCentre()
        #expect(try list() == "Nothing was erased.\n" && !holders(centre).isEmpty)
        try one.synced()
        try centre.synced()
        #expect(try holders(centre) == [] && list().contains("asked on 3 May"))
        try organisation.settle(minimumRows: 2)
        #expect(organisation.nodes.flatMap(holders) == [])
    }

    @Test("what cannot be erased is refused in words, and nothing is erased without being asked for")
    func refusals() throws {
        for (arguments, status, words) in [
            (
                ["work_item:W1", "--column", "title", "--reason", "r", "--yes"], 65,
                "erasable columns of work_item are contact"
            ),
            (["review:R1", "--reason", "r", "--yes"], 65, "unit.contact, work_item.contact"),
            (["work_item:W9", "--reason", "r", "--yes"], 66, "work_item has no row W9"),
            (["work_item", "--reason", "r", "--yes"], 64, "names no row"),
            (["work_item:W1", "--reason", "he is \(Self.secret) home", "--yes"], 65, "the reason holds"),
            (["work_item:W1", "--reason", "r"], 64, "--yes"),
        ] {
            let outcome = try centre.start(["central", "erase"] + arguments).wait()
            #expect(outcome.status == Int32(status) && outcome.hasOneLineError, "\(outcome)")
            #expect(outcome.errors.contains(words), "\(outcome)")
        }
        #expect(try list() == "Nothing was erased.\n")
        let cell = try one.kenh("central", "erase", "work_item:W1", "--reason", "r", "--yes")
        #expect(cell.status == 78 && cell.errors.contains("a cell's home"), "\(cell)")
        #expect(!holders(one).isEmpty)
    }
}
