import Foundation
import Testing

/// Beginning with a snapshot, as an administrator and an officer meet it at the command line.
@Suite("Snapshots at the command line") struct SnapshotTests {
    private let organisation: Organisation
    private var centre: Node { organisation.centre }
    private var cell: Node { organisation["CB1"] }

    init() throws { organisation = try Organisation(["CB1"]) }

    private func insert(_ ids: ClosedRange<Int>) throws {
        for id in ids {
            try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('W\(id)', 'plan/KH1', 'by CB1');")
        }
    }

    @Test("a new cell begins with one, goes on from it, and others say that it is right")
    func join() throws {
        try insert(1...30)
        try cell.sql(
            "UPDATE work_item SET title = 'later' WHERE id IN ('W3', 'W4'); DELETE FROM work_item WHERE id = 'W5';")
        try organisation.settle(minimumRows: 29)
        let made = try centre.kenh("central", "snapshot", "make", "plan/KH1")
        #expect(made.status == 0 && made.output.contains("30 rows") && made.output.contains("nobody yet"), "\(made)")
        try insert(31...32)
        try organisation.settle(minimumRows: 31)
        let confirmed = try cell.kenh("sync", "--confirm")
        #expect(confirmed.output.contains("1 snapshots of the centre's were made again"), "\(confirmed)")
        try organisation.settle(minimumRows: 31)
        let listed = try centre.kenh("central", "snapshot", "list")
        #expect(listed.output.contains("the same at CB1"), "\(listed)")

        let other = try organisation.join("CB2")
        let begun = try other.kenh("sync")
        #expect(begun.output.contains("plan/KH1 began with a snapshot that 1 cells made again"), "\(begun)")
        let heads = try other.sql("SELECT count(*) FROM kenh_block WHERE length(body) = 0;")
        #expect(heads.trimmingCharacters(in: .whitespacesAndNewlines) != "0")
        try other.sql("UPDATE work_item SET title = 'by CB2' WHERE id IN ('W1', 'W3');")
        try organisation.settle(minimumRows: 31)
        for node in organisation.nodes { try organisation.expectSuccess(node.kenh("verify", "--deep")) }
    }

    @Test("a centre makes them by itself when a log has grown, and says what there is none of")
    func bySelf() throws {
        let none = try centre.kenh("central", "snapshot", "list")
        #expect(none.status == 0 && none.output.contains("There are none"), "\(none)")
        let unknown = try centre.kenh("central", "snapshot", "make", "plan/none")
        #expect(unknown.status == 66 && unknown.hasOneLineError, "\(unknown)")
        organisation.stopCentre()
        try cell.sql(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            INSERT INTO work_item(id, channel, title) SELECT 'W' || i, 'plan/KH1', hex(randomblob(60)) FROM n;
            """)
        try Data("kenh:\n  snapshots:\n    age: 0\n".utf8).write(
            to: centre.home.appendingPathComponent("kenh.yaml"))
        try organisation.startCentre()
        try cell.synced()
        organisation.stopCentre()
        try organisation.startCentre()
        try Waiting.until("the centre has made a snapshot") {
            try centre.kenh("central", "snapshot", "list").output.contains("20000 rows")
        }
        let other = try organisation.join("CB2")
        let begun = try other.kenh("sync")
        #expect(begun.output.contains("plan/KH1 began with a snapshot"), "\(begun)")
        try organisation.settle(minimumRows: 20_000)
    }
}
