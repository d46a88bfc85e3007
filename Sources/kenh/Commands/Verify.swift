import ArgumentParser
import Foundation
import KenhHub
import KenhStore

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every block, signature, chain and digest of the store.",
        discussion: """
            EXAMPLES
              kenh verify --home ~/kenh
              kenh verify --home ~/kenh --deep      compares every value with what the blocks say

            In the centre's home it checks the log, too. With --deep it reads all attachments: one that is damaged is set
            aside, so that it is fetched or given again. Exits with 3 where something is wrong.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Rebuild all values from the blocks and compare.")
    var deep = false

    private struct Result: Encodable {
        let blocks: Int
        let changes: Int
        /// Of the centre's log.
        let entries: Int?
        let erasedValues: Int
        let problems: [String]
    }

    func run() async throws {
        let home = try home.resolve()
        let store = try home.openStore()
        let isTerminal = StandardError.isTerminal && !output.json
        let report = try store.verify(deep: deep) { done, all in
            if isTerminal, done % 16 == 0 { Progress.show("\(done) of \(all) blocks") }
        }
        let log = try home.role(store) == .centre ? try Self.verifyLog(home, store) : nil
        let attachments = deep ? try AttachmentCheck(home: home, store: store).problems() : []
        Progress.clear()
        let problems = report.problems + (log?.problems ?? []) + attachments
        try output.print(
            Result(
                blocks: report.blocks, changes: report.changes, entries: log?.entries,
                erasedValues: report.erasedValues, problems: problems)
        ) {
            let entries = log.map { ", \($0.entries) entries of the log" } ?? ""
            let erased = report.erasedValues > 0 ? ", \(report.erasedValues) erased values accounted for" : ""
            return problems.isEmpty
                ? "\(report.blocks) blocks with \(report.changes) changes\(entries)\(erased): all good."
                : problems.joined(separator: "\n")
        }
        guard problems.isEmpty else {
            throw Failure(.findings, "\(problems.count) problems found; kenh repair makes the damaged files anew")
        }
    }

    static func verifyLog(_ home: Home, _ store: Store) throws -> LogReport {
        let identity = try home.hubIdentity(store)
        let log = try home.log(at: home.logPath)
        return try LogVerifier(identity: identity).verify(log)
    }
}
