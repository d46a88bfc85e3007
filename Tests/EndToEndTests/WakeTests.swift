import Foundation
import Testing

@Suite("Cells that are online")
struct WakeTests {
    private func insert(_ id: String, at node: Node) throws {
        try node.sql("INSERT INTO work_item(id, channel, title) VALUES('\(id)', 'plan/KH1', 'by \(node.name)');")
    }

    private func arrival(of id: String, at node: Node) throws {
        try Waiting.until("\(id) is at \(node.name)") {
            try node.sql("SELECT count(*) FROM work_item WHERE id = '\(id)';") == "1"
        }
    }

    /// One sync at the start and one once the stream is there are the daemon's own; the third change and those after it
    /// can only come by waking.
    @Test("hear of each other's changes within a moment, though their schedule is hourly, and end with 0")
    func changes() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let daemons = try organisation.cells.map { cell in
            organisation.keep(try cell.start(["daemon", "--interval", "3600"]))
        }
        let (writer, reader) = (organisation["CB1"], organisation["CB2"])
        for number in 1...4 {
            try insert("W\(number)", at: writer)
            try writer.synced()
            try arrival(of: "W\(number)", at: reader)
        }
        try insert("C1", at: organisation.centre)
        for cell in organisation.cells { try arrival(of: "C1", at: cell) }
        let granted = try organisation.centre.kenh("central", "revoke", "CB2", "plan/KH1")
        #expect(granted.status == 0, "\(granted)")
        try Waiting.until("CB2 has left the channel") { try reader.sql("SELECT count(*) FROM work_item;") == "0" }
        for daemon in daemons {
            daemon.send(SIGTERM)
            let outcome = daemon.wait(seconds: 5)
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    @Test("find their centre again after it was away, and hear of changes as before")
    func restart() throws {
        let organisation = try Organisation(["CB1", "CB2"])
        let daemon = organisation.keep(try organisation["CB2"].start(["daemon", "--interval", "3600"]))
        let writer = organisation["CB1"]
        for round in 1...2 {
            for number in 1...4 {
                let id = "W\(round)-\(number)"
                try insert(id, at: writer)
                try writer.synced()
                try arrival(of: id, at: organisation["CB2"])
            }
            let outcome = organisation.stopCentre()
            #expect(outcome?.status == 0, "a stream that is open holds up no end: \(String(describing: outcome))")
            try organisation.startCentre()
        }
        daemon.send(SIGTERM)
        #expect(daemon.wait(seconds: 5).status == 0)
        try organisation.settle(minimumRows: 8)
    }

    @Test("sync by the schedule alone where they are told to")
    func withoutWaking() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        for arguments in [["--no-wake"], []] {
            let environment = arguments.isEmpty ? ["KENH_SYNC_WAKE": "false"] : [:]
            let daemon = organisation.keep(
                try cell.start(["daemon", "--interval", "1"] + arguments, environment: environment))
            try insert("W\(arguments.count)", at: cell)
            try Waiting.until("the daemon has sent it") {
                try organisation.centre.sql("SELECT count(*) FROM work_item WHERE id = 'W\(arguments.count)';") == "1"
            }
            daemon.send(SIGTERM)
            #expect(daemon.wait(seconds: 5).status == 0)
        }
        let wrong = try cell.kenh("daemon", environment: ["KENH_SYNC_WAKE": "maybe"])
        #expect(wrong.status == 78 && wrong.hasOneLineError && wrong.errors.contains("sync.wake"), "\(wrong)")
    }
}
