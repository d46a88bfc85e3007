import ArgumentParser
import Foundation
import KenhMerge
import KenhStore

struct Rejected: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Changes made here that the cell was not allowed to make: nobody has them, and nothing is lost.",
        discussion: """
            EXAMPLES
              kenh rejected --home ~/kenh
              kenh rejected --export rejected.json --home ~/kenh     to hand it to somebody who may
              kenh rejected --forget --home ~/kenh                   once they are dealt with

            The rows stand again as they do without them, here and everywhere.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only of this table.")
    var table: String?
    @Option(help: ArgumentHelp("Write them into a new file, as JSON.", valueName: "file"))
    var export: String?
    @Flag(help: "Drop them from the list for good.")
    var forget = false

    func validate() throws {
        guard export == nil || !forget else { throw ValidationError("choose one of --export and --forget") }
    }

    func run() async throws {
        let store = try home.resolve().openStore()
        if forget {
            let count = try store.forgetRejected { table == nil || $0.table == table }
            return try output.print(["forgotten": count]) { "Dropped \(count) changes from the list." }
        }
        let changes = try store.rejected().filter { table == nil || $0.table == table }
        let lines = changes.map(RejectedOutput.init)
        if let export {
            let bytes = try OutputOptions.json(lines)
            try WholeFile.write(to: export) { try $0.write(contentsOf: bytes) }
            return try output.print(["exported": lines.count]) { "Wrote \(lines.count) changes to \(export)." }
        }
        try output.print(lines) {
            lines.isEmpty ? "Nothing was rejected." : changes.map(RejectedOutput.text).joined(separator: "\n")
        }
    }
}

private struct RejectedOutput: Encodable {
    let table: String
    let id: String
    let channel: String
    let kind: String
    let officer: String
    let madeAtMilliseconds: Int64
    let rejectedAtMilliseconds: Int64
    let values: [String: String?]
    let code: String
    let reason: String

    init(_ change: RejectedChange) {
        table = change.table
        id = change.id.description
        channel = change.channel
        kind = "\(change.kind)"
        officer = change.officer
        madeAtMilliseconds = change.madeAtMilliseconds
        rejectedAtMilliseconds = change.rejectedAtMilliseconds
        values = change.values.mapValues { $0 == .null ? nil : $0.description }
        code = change.code
        reason = change.message
    }

    static func text(_ change: RejectedChange) -> String {
        let by = change.officer.isEmpty ? "" : " by \(change.officer)"
        let values = change.values.sorted { $0.key < $1.key }.map { "\n    \($0.key): “\($0.value)”" }
        return "\(change.kind) \(change.table) \(change.id) in \(change.channel), made "
            + "\(Instant.text(change.madeAtMilliseconds))\(by): \(change.message)\(values.joined())"
    }
}
