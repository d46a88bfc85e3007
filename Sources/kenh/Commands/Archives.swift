import ArgumentParser
import Foundation
import KenhHub
import KenhProtocol
import KenhSettings

extension Central {
    struct Archive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Files that hold the bodies of the log's old blocks.",
            discussion: """
                EXAMPLES
                  kenh central archive list --home /srv/kenh
                  kenh central archive make plan/KH1 --age 365 --home /srv/kenh
                  kenh central archive verify --home /srv/kenh
                  kenh central archive restore plan/KH1 --home /srv/kenh

                Archived blocks stay part of the log: their headers, signatures and what an erasure may take out are in
                log.db, the rest is in the home's folder archives. Such a file never changes, and its hash stands in the log.
                So a backup copies it once. Devices are sent archived blocks as before. A centre that serves archives by itself
                what is over a year old (archives.age) and covered by a snapshot, once that is 16 MiB.
                """,
            subcommands: [List.self, Make.self, Verify.self, Restore.self], defaultSubcommand: List.self)

        fileprivate struct Line: Encodable {
            let channel: String
            let first: UInt64
            let last: UInt64
            let blocks: Int
            let bytes: Int
            let file: String
            let isRestored: Bool

            init(_ archive: KenhHub.Archive) {
                (channel, first, last, blocks) = (archive.channel, archive.first, archive.last, archive.blocks)
                (bytes, file, isRestored) = (archive.size, archive.name, archive.isRestored)
            }

            var text: String {
                "\(channel)  entries \(first) to \(last), \(blocks) blocks, \(bytes) bytes, \(file)"
                    + (isRestored ? ", restored" : "")
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the archive files that the log names.",
                discussion: "EXAMPLES\n  kenh central archive list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let lines = try hub.archives().map(Line.init)
                try output.print(lines) {
                    lines.isEmpty
                        ? "There are none. Next: kenh central archive make CHANNEL"
                        : lines.map(\.text).joined(separator: "\n")
                }
            }
        }

        struct Make: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Move the bodies of old blocks into files now, also while the centre is served.",
                discussion: """
                    EXAMPLES
                      kenh central archive make --home /srv/kenh                  of all channels
                      kenh central archive make plan/KH1 --age 30 --home /srv/kenh

                    Only what the channel's newest snapshot covers is moved, so that hardly anybody asks for it: see
                    kenh central snapshot. log.db becomes smaller at the end, for which it needs as much free space again.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Names of channels; all where none is given.")
            var channels: [String] = []
            @Option(help: ArgumentHelp("Leave out what was accepted within so many days (365).", valueName: "days"))
            var age: Int?
            @Flag(help: "Leave log.db as large as it is; new blocks fill it up again.")
            var noShrink = false

            func validate() throws {
                guard age.map(Settings.days.contains) ?? true else {
                    throw ValidationError("--age is a number of days from 0 to 36500")
                }
            }

            func run() async throws {
                let home = try home.resolve()
                let (_, hub, view) = try home.openCentre()
                try view.catchUp()
                let known = try hub.snapshotChannels()
                for channel in channels where !known.contains(channel) {
                    throw Failure(.noInput, "the log has no channel \(channel); see kenh central channel list")
                }
                let days = try age ?? Settings(home: home).int("archives.age", in: Settings.days, default: 365)
                let before = days == 0 ? Int64.max : hub.now() - Int64(days) * 86_400_000
                let isTerminal = StandardError.isTerminal && !output.json
                var lines: [Line] = []
                for channel in channels.isEmpty ? known : channels {
                    while let made = try hub.archive(channel, acceptedBefore: before, on: home.archives) {
                        lines.append(Line(made))
                        if isTerminal { Progress.show("\(channel): entries up to \(made.last)") }
                    }
                }
                Progress.clear()
                if !lines.isEmpty, !noShrink { try hub.shrinkLog() }
                try view.catchUp()
                try output.print(lines) {
                    lines.isEmpty
                        ? "Nothing is old enough and covered by a snapshot: see kenh central snapshot list"
                        : lines.map(\.text).joined(separator: "\n")
                }
            }
        }

        struct Verify: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Check that every archive file is there and has what the log says.",
                discussion: "EXAMPLES\n  kenh central archive verify --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Result: Encodable {
                let archives: Int
                let problems: [String]
            }

            func run() async throws {
                let home = try home.resolve()
                let (_, hub, _) = try home.openCentre()
                let isTerminal = StandardError.isTerminal && !output.json
                let problems = try hub.checkArchives(on: home.archives) {
                    if isTerminal { Progress.show("reading \($0.name)") }
                }
                Progress.clear()
                let count = try hub.archives().count
                try output.print(Result(archives: count, problems: problems)) {
                    problems.isEmpty ? "\(count) archive files: all good." : problems.joined(separator: "\n")
                }
                guard problems.isEmpty else {
                    throw Failure(.findings, "\(problems.count) problems found; put the files back from a backup")
                }
            }
        }

        struct Restore: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Put archived blocks back into log.db.",
                discussion: """
                    EXAMPLES
                      kenh central archive restore plan/KH1 --home /srv/kenh

                    The files stay where they are, since the log names them.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Name of the channel.")
            var channel: String

            func run() async throws {
                let home = try home.resolve()
                let (_, hub, _) = try home.openCentre()
                let archives = try hub.archives().filter { $0.channel == channel && !$0.isRestored }
                guard !archives.isEmpty else {
                    throw Failure(.noInput, "no blocks of \(channel) are archived; see kenh central archive list")
                }
                for archive in archives { try hub.restore(archive, from: home.archives) }
                let lines = try hub.archives().filter { $0.channel == channel }.map(Line.init)
                try output.print(lines) { lines.map(\.text).joined(separator: "\n") }
            }
        }
    }
}
