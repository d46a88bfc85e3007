import Foundation
import KenhTesting
import Testing

@Suite("kill -9")
struct KillTests {
    /// What was written, by row; each row has one writer, so its last value is what everybody must show.
    private struct Written {
        var titles: [String: String] = [:]

        /// Writes some new rows and changes some old ones in one transaction.
        mutating func write(_ round: Int, in cell: Node, using random: inout SeededGenerator) throws {
            var script = ["BEGIN;"]
            for number in 0..<60 {
                let id = "\(cell.name)/\(round)/\(number)"
                titles[id] = "Việc \(random.next())"
                script.append(
                    """
                    INSERT INTO work_item(id, channel, title, description)
                    VALUES('\(id)', 'plan/KH\(number % 3)', '\(titles[id] ?? "")', hex(randomblob(200)));
                    """)
            }
            for id in titles.keys.filter({ $0.hasPrefix(cell.name) }).sorted() where random.chance(percent: 3) {
                titles[id] = "Sửa \(random.next())"
                script.append("UPDATE work_item SET title = '\(titles[id] ?? "")' WHERE id = '\(id)';")
            }
            try cell.sql((script + ["COMMIT;"]).joined(separator: "\n"))
        }

        func check(_ node: Node) throws {
            let shown = try node.sql("SELECT id || '=' || title FROM work_item;").split(separator: "\n")
            let lost = Set(titles.map { "\($0.key)=\($0.value)" }).symmetricDifference(shown.map(String.init))
            #expect(lost.isEmpty, "\(node.name) shows other rows than were written")
        }
    }

    /// The environment may ask for more, and for other moments.
    private static func number(_ name: String, _ usual: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
    }

    @Test("of the centre, of a sync and of the daemon, fifty times at any moment, loses nothing")
    func anywhere() throws {
        let rounds = Self.number("KENH_KILLS", 50)
        var random = SeededGenerator(seed: UInt64(Self.number("KENH_KILL_SEED", 9)))
        let organisation = try Organisation(["CB1", "CB2", "CB3"])
        let (syncing, daemon) = (organisation["CB1"], organisation["CB2"])
        var written = Written()
        var kills = 0
        for round in 0..<rounds {
            try written.write(round, in: syncing, using: &random)
            if round % 3 == 0 { try written.write(round, in: daemon, using: &random) }
            switch round % 3 {
            case 0: kills += try killDaemon(daemon, organisation, &random)
            case 1: kills += try killSync(syncing, &random)
            default: kills += try killCentre(organisation, syncing, &random)
            }
        }
        #expect(kills * 5 > rounds * 4, "some come too late, all others hit a process at work")
        try organisation.settle(minimumRows: 60 * rounds)
        for node in organisation.nodes { try written.check(node) }
    }

    private func killSync(_ cell: Node, _ random: inout SeededGenerator) throws -> Int {
        let child = try cell.start(["sync"])
        try strike(child, cell, &random)
        let outcome = child.wait()
        #expect([0, 137].contains(outcome.status), "\(outcome)")
        return outcome.status == 137 ? 1 : 0
    }

    private func killDaemon(
        _ cell: Node, _ organisation: Organisation, _ random: inout SeededGenerator
    ) throws -> Int {
        let child = organisation.keep(try cell.start(["daemon", "--interval", "1"]))
        try strike(child, cell, &random)
        #expect(child.wait().status == 137)
        return 1
    }

    private func killCentre(_ organisation: Organisation, _ cell: Node, _ random: inout SeededGenerator) throws -> Int {
        let server = try #require(organisation.server)
        let child = try cell.start(["sync"])
        try strike(server, cell, &random)
        let outcome = child.wait()
        #expect([0, 69].contains(outcome.status), "\(outcome)")
        #expect(organisation.stopCentre(SIGKILL)?.status == 137)
        try organisation.startCentre()
        return 1
    }

    /// Kills at a byte that crosses the cell's line, or, where less crosses it, some milliseconds later: then the
    /// victim may be writing what it received.
    private func strike(_ victim: Child, _ cell: Node, _ random: inout SeededGenerator) throws {
        let line = try #require(cell.line)
        let struck = DispatchSemaphore(value: 0)
        let direction = random.chance(percent: 50) ? Line.Direction.up : .down
        line.arm(
            direction, at: random.below(direction == .up ? 20_000 : 3000),
            .run {
                victim.send(SIGKILL)
                struck.signal()
            })
        let patience = DispatchTimeInterval.milliseconds(20 + random.below(300))
        if struck.wait(timeout: .now() + patience) == .timedOut { victim.send(SIGKILL) }
        line.disarm()
    }
}
