import ArgumentParser
import Foundation
import KenhCell
import KenhHub
import KenhSettings
import KenhStore

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sync once, now.",
        discussion: """
            EXAMPLES
              kenh sync --home ~/kenh
              kenh sync --home ~/kenh --json
              kenh sync --home ~/kenh --confirm     make the centre's snapshots again, and say whether they are the same

            Attachments follow once all changes are through; one that does not arrive is said, and tried again later.

            In the centre's home it takes the edits made there into the log and merges what has come.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Make the centre's newest snapshots again from the blocks that are here.")
    var confirm = false

    private struct Result: Encodable {
        let sentChanges: Int
        let mergedChanges: Int
        let equalChannels: Int
        let unequalChannels: [String]
        let refusals: [String]
        let heldBlocks: Int
        let regainedBlocks: Int
        let handedBackBlocks: Int
        let rejectedChanges: Int
        let leftChannels: [String]
        let snapshots: [String]
        let confirmedSnapshots: Int
        let attachments: AttachmentOutcome
    }

    func run() async throws {
        let home = try home.resolve()
        let store = try home.openStore()
        if try home.role(store) == .centre { return try catchUp(home) }
        let settings = try Settings(home: home)
        let cell = try CellHome(home, settings: settings)
        var sync = try cell.sync(confirms: confirm)
        if StandardError.isTerminal, !output.json {
            sync.snapshotProgress = { Progress.show("\($0): \($1) of \($2) parts of its snapshot") }
            sync.progress = { Progress.show("\($0.sentChanges) sent, \($0.mergedChanges) merged") }
        }
        let report = try sync.run()
        Progress.clear()
        let attachments = try CellAttachments(home, cell: cell, settings: settings).move(
            showsProgress: StandardError.isTerminal && !output.json)
        try show(report, attachments)
        guard report.refusals.isEmpty else {
            throw Failure(
                .refused,
                "the centre refused \(report.refusals.count) blocks: \(report.refusals[0]); run kenh verify here, then ask the centre"
            )
        }
        guard report.unequalChannels.isEmpty else {
            throw Failure(
                .findings,
                "the merged state differs from the centre's in \(report.unequalChannels.joined(separator: ", ")); run kenh verify"
            )
        }
    }

    private func show(_ report: SyncReport, _ attachments: AttachmentOutcome) throws {
        let result = Result(
            sentChanges: report.sentChanges, mergedChanges: report.mergedChanges, equalChannels: report.equalChannels,
            unequalChannels: report.unequalChannels, refusals: report.refusals, heldBlocks: report.heldBlocks,
            regainedBlocks: report.regainedBlocks, handedBackBlocks: report.handedBackBlocks,
            rejectedChanges: report.rejectedChanges, leftChannels: report.leftChannels,
            snapshots: report.snapshots.map(\.channel), confirmedSnapshots: report.confirmedSnapshots,
            attachments: attachments)
        try output.print(result) {
            var line = "\(report.sentChanges) changes sent, \(report.mergedChanges) merged"
            if report.clockOffsetMilliseconds != 0 {
                line += "; this clock is off by \(-report.clockOffsetMilliseconds / 1000) s"
            }
            if report.regainedBlocks > 0 {
                line += "; \(report.regainedBlocks) blocks that this device once sent came back: its store is an older "
                line += "copy, or there are two of it (kenh status)"
            }
            if report.handedBackBlocks > 0 {
                line += "; the centre was restored from an older copy and got back \(report.handedBackBlocks) blocks"
            }
            if report.rejectedChanges > 0 {
                line += "; \(report.rejectedChanges) changes were taken out again, since this cell may not make them "
                line += "(kenh rejected)"
            }
            for channel in report.leftChannels {
                line += "; this cell takes no part in \(channel) any more, its rows were removed here"
            }
            for begun in report.snapshots {
                line += "; \(begun.channel) began with a snapshot that "
                line +=
                    begun.confirmedBy == 0 ? "no cell has made again yet" : "\(begun.confirmedBy) cells made again, too"
            }
            if report.confirmedSnapshots > 0 {
                line += "; \(report.confirmedSnapshots) snapshots of the centre's were made again and are the same"
            }
            if report.erasures > 0 {
                line += "; \(report.erasures) erasures were followed: their values are gone here"
            }
            if report.heldBlocks > 0 { line += "; \(report.heldBlocks) blocks wait for others" }
            return line + attachments.text
        }
    }

    private func catchUp(_ home: Home) throws {
        let (store, _, view) = try home.openCentre()
        let before = try store.status()
        let merged = try view.catchUp()
        let sent = before.pendingChanges + before.unsentChanges
        try output.print(["sentChanges": sent, "mergedChanges": merged]) { "\(sent) changes sent, \(merged) merged" }
    }
}

/// A line on the terminal that says how far long work has come.
enum Progress {
    static func show(_ text: String) { StandardError.write("\r\u{1B}[K\(text) …") }

    static func clear() {
        if StandardError.isTerminal { StandardError.write("\r\u{1B}[K") }
    }
}
