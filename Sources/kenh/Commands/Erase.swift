import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhStore

extension Central {
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a row's erasable values out of the history, everywhere and for good.",
            discussion: """
                EXAMPLES
                  kenh central erase work_item:W1 --reason "asked on 3 May" --dry-run --home /srv/kenh
                  kenh central erase work_item:W1 --column contact --reason "asked on 3 May" --home /srv/kenh

                Every value is erased that any change wrote into the row's erasable columns and that the log has: what is shown
                and what it replaced, also where the row was deleted. The columns show nothing then. Cells do so when they sync
                next; kenh central erasure list says who has not yet. What a cell writes afterwards is a new value. A copy that
                is put back erases again.

                Not erased: backups that nobody puts back, audit files, copies that other programs made, and a damaged file
                that kenh repair has kept. The reason is kept by everybody, so it must not hold what is erased.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: ArgumentHelp("Table and id; hex where ids are blobs.", valueName: "table:id"))
        var row: String
        @Option(help: "Only this column; can be given several times.")
        var column: [String] = []
        @Option(help: "Why, in one line that everybody keeps.")
        var reason: String
        @Flag(help: "Only say what would be erased.")
        var dryRun = false
        @Flag(help: "Do not ask.")
        var yes = false

        private struct Line: Encodable {
            let channel: String
            let block: String
            let change: Int
            let column: String
        }

        private struct Result: Encodable {
            let erased: Int
            let isClean: Bool
            let values: [Line]
        }

        func run() async throws {
            let name = try RowName(row)
            let (store, hub, view) = try home.resolve().openCentre()
            try view.catchUp()
            let found = try store.erasable(table: name.table, id: name.id, columns: column)
            let lines = found.map {
                Line(channel: $0.channel, block: "\($0.name.block)", change: $0.name.place, column: $0.name.column)
            }
            guard !dryRun else {
                return try output.print(Result(erased: 0, isClean: true, values: lines)) { Self.text(lines, row) }
            }
            try hub.checkErasure(of: found, reason: reason)
            guard !found.isEmpty else {
                return try output.print(Result(erased: 0, isClean: true, values: [])) { Self.text(lines, row) }
            }
            try confirm(lines)
            let report = try hub.erase(found, reason: reason)
            try view.catchUp()
            let isClean = try report.isClean && !store.isUnclean()
            try output.print(Result(erased: report.values, isClean: isClean, values: lines)) {
                "Erased \(report.values) values of \(row). Cells erase them when they sync next: kenh central erasure list"
                    + (isClean
                        ? ""
                        : "\nThe centre's own files were in use and may still hold them: run kenh sync here once they are not.")
            }
        }

        private static func text(_ lines: [Line], _ row: String) -> String {
            guard !lines.isEmpty else { return "Nothing of \(row) is left to erase." }
            let values = lines.map { "  \($0.channel)  block \($0.block)  change \($0.change)  \($0.column)" }
            return (["\(lines.count) values of \(row) would be erased:"] + values).joined(separator: "\n")
        }

        private func confirm(_ lines: [Line]) throws {
            guard !yes else { return }
            guard isatty(STDIN_FILENO) == 1 else {
                throw Failure(
                    .usage, "erasing cannot be undone; use --yes where nobody can be asked, or --dry-run first")
            }
            let columns = Set(lines.map(\.column)).sorted().joined(separator: ", ")
            StandardError.write(
                "Erase \(lines.count) values of \(row) (\(columns)) everywhere? This cannot be undone. Type yes: ")
            guard readLine() == "yes" else { throw Failure(.refused, "nothing was erased") }
        }
    }

    struct Erasure: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was erased, and who has not done so yet.",
            discussion: "EXAMPLES\n  kenh central erasure list --home /srv/kenh",
            subcommands: [List.self], defaultSubcommand: List.self)

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the erasures of the log, and the devices that have not confirmed each.",
                discussion: """
                    EXAMPLES
                      kenh central erasure list --home /srv/kenh

                    A device confirms with its first sync after it has taken the values out of all its files. Revoked devices
                    are not waited for. What a cell holds of a channel that was taken from it goes with the channel.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Line: Encodable {
                struct Device: Encodable {
                    let cell: String
                    let name: String
                }

                let channel: String
                let erasedAtMilliseconds: Int64
                let reason: String
                let values: Int
                let columns: [String]
                let waiting: [Device]
            }

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let lines = try hub.erasures().map { erasure in
                    Line(
                        channel: erasure.channel, erasedAtMilliseconds: erasure.acceptedAtMilliseconds,
                        reason: erasure.reason, values: erasure.values, columns: erasure.columns,
                        waiting: erasure.waiting.map { .init(cell: $0.cell, name: $0.name) })
                }
                try output.print(lines) {
                    lines.isEmpty ? "Nothing was erased." : lines.map(Self.text).joined(separator: "\n")
                }
            }

            private static func text(_ line: Line) -> String {
                let since = Instant.text(line.erasedAtMilliseconds)
                let waiting = line.waiting.map {
                    $0.cell.isEmpty ? "the centre's own tables" : "\($0.cell) “\($0.name)”"
                }
                return "\(since)  \(line.channel)  \(line.values) values (\(line.columns.joined(separator: ", ")))  "
                    + "\(line.reason)\n    "
                    + (waiting.isEmpty
                        ? "confirmed by all" : "not confirmed since then by \(waiting.joined(separator: ", "))")
            }
        }
    }
}
