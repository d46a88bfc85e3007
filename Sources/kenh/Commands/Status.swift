import ArgumentParser
import Foundation
import KenhStore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the store holds, what is unsent and what needs a person.",
        discussion: "EXAMPLES\n  kenh status --home ~/kenh\n  kenh status --home ~/kenh --json")

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions

    private struct Result: Encodable {
        let role: String
        let cell: String?
        let centre: String?
        let pendingChanges: Int
        let unsentChanges: Int
        let unsentSince: String?
        let heldBlocks: Int
        let blocks: Int
        let conflicts: Int
        let rejectedChanges: Int
        let waitingAttachments: Int
        let clockOffsetSeconds: Double
        let journalMode: String
        let tables: [String: Int]
        let digests: [String: String]
        let notices: [String]
    }

    func run() async throws {
        let home = try home.resolve()
        let store = try home.openStore()
        let role = try home.role(store)
        let status = try store.status()
        let result = Result(
            role: role.rawValue, cell: try store.fact("cell").string, centre: try store.fact("centre_url").string,
            pendingChanges: status.pendingChanges, unsentChanges: status.unsentChanges,
            unsentSince: status.unsentSinceMilliseconds.map(Instant.text), heldBlocks: status.heldBlocks,
            blocks: status.blocks, conflicts: status.conflicts,
            rejectedChanges: status.rejectedChanges,
            waitingAttachments: try store.transfers().count { !$0.isDone },
            clockOffsetSeconds: Double(status.clockOffsetMilliseconds) / 1000,
            journalMode: status.durability.journalMode,
            tables: Dictionary(uniqueKeysWithValues: status.rows.map { ($0.table, $0.count) }),
            digests: Dictionary(uniqueKeysWithValues: status.channels.map { ($0.name, "\($0.digest)") }),
            notices: try store.notices().suffix(10).map { "\(Instant.text($0.atMilliseconds)) \($0.message)" })
        try output.print(result) { text(result, status) }
    }

    private func text(_ result: Result, _ status: StoreStatus) -> String {
        var lines = [
            result.role == "centre"
                ? "The centre's store" : "Cell \(result.cell ?? "?"), centre \(result.centre ?? "?")"
        ]
        let unsent = result.pendingChanges + result.unsentChanges
        lines.append(
            unsent == 0 ? "Everything is sent." : "\(unsent) changes unsent, since \(result.unsentSince ?? "now").")
        if result.heldBlocks > 0 { lines.append("\(result.heldBlocks) blocks wait for others.") }
        lines.append(
            result.conflicts == 0 ? "No conflicts." : "\(result.conflicts) conflicts: kenh conflicts lists them.")
        if result.rejectedChanges > 0 {
            lines.append("\(result.rejectedChanges) changes were rejected: kenh rejected lists them.")
        }
        if result.waitingAttachments > 0 {
            lines.append("\(result.waitingAttachments) attachments wait: kenh attachment list says for what.")
        }
        if result.clockOffsetSeconds != 0 { lines.append("This clock is off by \(-result.clockOffsetSeconds) s.") }
        lines.append("")
        let width = status.rows.map(\.table.count).max() ?? 0
        for row in status.rows {
            lines.append("  \(row.table.padding(toLength: width, withPad: " ", startingAt: 0))  \(row.count)")
        }
        lines += result.notices.map { "  ! \($0)" }
        return lines.joined(separator: "\n")
    }
}

/// Times as people and programs read them alike.
enum Instant {
    static func text(_ milliseconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        return formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1000))
    }
}
