import Foundation
import Testing

@Suite("The daemon")
struct DaemonTests {
    @Test("syncs by itself, again and again, and ends with 0 when told to")
    func schedule() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        let daemon = organisation.keep(try cell.start(["daemon", "--interval", "1"]))
        for number in 0..<3 {
            try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('A/\(number)', 'plan/KH1', 'Việc');")
            try Waiting.until("the daemon has sent edit \(number)") {
                try organisation.centre.sql("SELECT count(*) FROM work_item;") == "\(number + 1)"
            }
        }
        try organisation.centre.sql("UPDATE work_item SET title = 'Từ trung tâm' WHERE id = 'A/0';")
        try Waiting.until("the centre's edit is here") {
            try cell.sql("SELECT title FROM work_item WHERE id = 'A/0';") == "Từ trung tâm"
        }
        daemon.send(SIGTERM)
        let outcome = daemon.wait(seconds: 5)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(!outcome.errors.contains("\u{1B}"))
        try organisation.settle(minimumRows: 3)
    }

    @Test("ends within five seconds in the middle of a sync with a server that never answers")
    func silence() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        for signal in [SIGTERM, SIGINT] {
            // One for each: a daemon makes two calls.
            let silent = try SilentServer()
            cell.line?.retarget(silent.port)
            let daemon = organisation.keep(try cell.start(["daemon", "--interval", "1"]))
            #expect(silent.waitForCall())
            daemon.send(signal)
            let outcome = daemon.wait(seconds: 5)
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    @Test("lives through a centre that is down, and sends what was written meanwhile when it is back")
    func centreDown() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        #expect(organisation.stopCentre()?.status == 0)
        let daemon = organisation.keep(try cell.start(["daemon", "--interval", "1"]))
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('A', 'plan/KH1', 'Việc');")
        try Waiting.until("the daemon has failed") { daemon.errorsSoFar.contains("sync failed") }
        #expect(daemon.isRunning)
        try organisation.startCentre()
        try Waiting.until("the daemon has sent what was written") {
            try organisation.centre.sql("SELECT count(*) FROM work_item;") == "1"
        }
        daemon.send(SIGTERM)
        #expect(daemon.wait(seconds: 5).status == 0)
        try organisation.settle()
    }

    @Test("and the centre end with 0 on SIGTERM and on SIGINT")
    func centreEnds() throws {
        let organisation = try Organisation()
        for signal in [SIGTERM, SIGINT] {
            let outcome = organisation.stopCentre(signal)
            #expect(outcome?.status == 0, "\(String(describing: outcome))")
            try organisation.startCentre()
        }
        try organisation["CB1"].sql("INSERT INTO work_item(id, channel, title) VALUES('A', 'plan/KH1', 'Việc');")
        try organisation.settle()
    }
}
