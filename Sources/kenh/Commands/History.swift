import ArgumentParser
import Foundation
import KenhMerge
import KenhStore

struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every change of a row: who, when, what.",
        discussion: "EXAMPLES\n  kenh history work_item KH6/01 --home /srv/kenh")

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Table.")
    var table: String
    @Argument(help: "Id of the row; hex where ids are blobs.")
    var id: String

    private struct Item: Encodable {
        let kind: String
        let author: String
        let officer: String?
        let claimedAt: String
        let acceptedAt: String?
        let replica: String
        let counter: UInt64
        let channel: String
        let supersedes: Int
        let values: [String: String]
        let additions: [String: Int64]?
        let erased: [String: String]?
        let struckBecause: String?
    }

    func run() async throws {
        let items = try home.resolve().openStore().history(table: table, id: id)
        guard !items.isEmpty else {
            throw Failure(.noInput, "\(table) has no history of \(id) here; check the id, or sync first")
        }
        try output.print(items.map(Self.item)) { items.map(Self.text).joined(separator: "\n") }
    }

    private static func item(_ item: HistoryItem) -> Item {
        Item(
            kind: "\(item.kind)", author: item.author, officer: item.officer.isEmpty ? nil : item.officer,
            claimedAt: Instant.text(item.claimedAtMilliseconds),
            acceptedAt: item.acceptedAtMilliseconds.map(Instant.text),
            replica: item.replica.bytes.hex, counter: item.counter, channel: item.channel, supersedes: item.supersedes,
            values: Dictionary(item.values.map { ($0.column, "\($0.value)") }) { $1 },
            additions: item.additions.isEmpty
                ? nil : Dictionary(item.additions.map { ($0.column, $0.amount) }) { $1 },
            erased: item.erased.isEmpty ? nil : Dictionary(item.erased.map { ($0.column, when($0)) }) { $1 },
            struckBecause: item.struckBecause)
    }

    private static func when(_ erased: ErasedColumn) -> String {
        guard let at = erased.atMilliseconds, let reason = erased.reason else {
            return "no erasure is known that says so"
        }
        return "\(Instant.text(at)): \(reason)"
    }

    private static func text(_ item: HistoryItem) -> String {
        let who = item.officer.isEmpty ? item.author : "\(item.author) (\(item.officer))"
        let accepted = item.acceptedAtMilliseconds.map { "accepted \(Instant.text($0))" } ?? "not yet at the centre"
        let head = "\(Instant.text(item.claimedAtMilliseconds))  \(item.kind)  \(who)  \(accepted)"
        let values = item.values.map { "    \($0.column) = \($0.value)" }
        let additions = item.additions.map { column, amount in
            "    \(column) \(amount < 0 ? "\u{2212}" : "+")\(amount.magnitude)"
        }
        let struck = item.struckBecause.map { ["    struck: \($0)"] } ?? []
        let erased = item.erased.map { "    \($0.column) was erased, \(when($0))" }
        return ([head] + struck + values + erased + additions).joined(separator: "\n")
    }
}
