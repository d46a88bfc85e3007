import Foundation
import KenhStore
import KenhTesting
import Testing

/// How many strikes: the environment variable `KENH_CUTS` asks for more.
enum PowerCutSettings {
    #if DEBUG
        private static let defaultCount = 500
    #else
        private static let defaultCount = 5_000
    #endif

    static var count: Int {
        ProcessInfo.processInfo.environment["KENH_CUTS"].flatMap { Int($0) } ?? defaultCount
    }
}

@Suite struct PowerCutTests {
    private func trial(_ number: Int, _ durability: Durability = .rollbackJournal) throws -> PowerCutTrial {
        defer { SQLiteTime.clear() }
        let scenarios = try PowerCutTrial.Scenario.all(durability)
        return try PowerCutTrial(scenarios[number])
    }

    @Test(
        "A power cut at any I/O loses nothing that was acknowledged, and leaves nothing by halves", arguments: 0..<7,
        [Durability.rollbackJournal, .writeAheadLog])
    func cuts(scenario: Int, durability: Durability) throws {
        let trial = try trial(scenario, durability)
        // The write-ahead log, which fewer machines use, gets a fifth on top.
        let count = UInt64(PowerCutSettings.count / 7 + 1) / (durability == .writeAheadLog ? 5 : 1)
        var strikes = 0
        // Sectors of 4096 bytes, then of 512.
        for seeds in [0..<count / 2, (count / 2 | 1)..<count + 2] {
            let outcome = trial.run(.cut, seeds: seeds)
            #expect(outcome.losses.isEmpty, "\(outcome.losses.count) of \(seeds.count): \(outcome.losses.first ?? "")")
            strikes += outcome.tally.strikes
        }
        #expect(strikes >= Int(count), "every cut struck")
    }

    @Test(
        "Nor does the end of the process, an I/O that fails, or a disk without room",
        arguments: [RAMDisk.Fault.kill, .fail, .full], 0..<7)
    func others(fault: RAMDisk.Fault, scenario: Int) throws {
        let outcome = try trial(scenario).run(fault, seeds: 0..<UInt64(max(PowerCutSettings.count / 100, 30)))
        #expect(outcome.losses.isEmpty, "\(outcome.losses.count) lost: \(outcome.losses.first ?? "")")
        #expect(outcome.tally.strikes > 0)
    }

    @Test(
        "What is there after the process has died at any I/O is there after a power cut, too",
        arguments: 0..<7, [Durability.rollbackJournal, .writeAheadLog])
    func cutAfterDeath(scenario: Int, durability: Durability) throws {
        let trial = try trial(scenario, durability)
        for fault in [RAMDisk.Fault.kill, .fail] {
            let outcome = trial.run(fault, seeds: 0..<UInt64(max(PowerCutSettings.count / 50, 60)), thenCut: true)
            #expect(outcome.losses.isEmpty, "\(outcome.losses.count) lost: \(outcome.losses.first ?? "")")
            #expect(outcome.tally.cuts > 0)
        }
    }

    @Test("A disk whose syncs are lies is found out in every scenario", arguments: 0..<7)
    func lyingDisk(scenario: Int) throws {
        let outcome = try trial(scenario).run(.cut, seeds: 0..<200, lies: .sync)
        #expect(!outcome.losses.isEmpty, "\(outcome.tally)")
    }

    @Test("A disk that never syncs its folders loses nothing: no commit waits for a file to come or go")
    func lyingFolder() throws {
        let outcome = try trial(0).run(.cut, seeds: 0..<500, lies: .folder)
        #expect(outcome.losses.isEmpty, "\(outcome.losses.count) lost: \(outcome.losses.first ?? "")")
        #expect(outcome.tally.strikes > 0)
    }
}
