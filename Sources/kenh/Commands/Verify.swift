import ArgumentParser
import Foundation
import KenhStore

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every block, signature, chain and digest of the store.",
        discussion: """
            EXAMPLES
              kenh verify --home ~/kenh
              kenh verify --home ~/kenh --deep      compares every value with what the blocks say

            Exits with 3 where something is wrong.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Rebuild all values from the blocks and compare.")
    var deep = false

    private struct Result: Encodable {
        let blocks: Int
        let changes: Int
        let problems: [String]
    }

    func run() async throws {
        let store = try home.resolve().openStore()
        let isTerminal = StandardError.isTerminal && !output.json
        let report = try store.verify(deep: deep) { done, all in
            if isTerminal, done % 16 == 0 { Progress.show("\(done) of \(all) blocks") }
        }
        Progress.clear()
        try output.print(Result(blocks: report.blocks, changes: report.changes, problems: report.problems)) {
            report.isGood
                ? "\(report.blocks) blocks with \(report.changes) changes: all good."
                : report.problems.joined(separator: "\n")
        }
        guard report.isGood else {
            throw Failure(.findings, "\(report.problems.count) problems found; keep the files and restore a backup")
        }
    }
}
