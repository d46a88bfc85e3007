import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension Central {
    struct Snapshot: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Snapshots, with which new devices begin a channel.",
            discussion: """
                EXAMPLES
                  kenh central snapshot list --home /srv/kenh
                  kenh central snapshot make org --home /srv/kenh

                A centre that serves makes them by itself when a channel's log has grown by half, of what is older than a
                week (snapshots.age). Cells that have all blocks make each again and say whether it is the same.
                """,
            subcommands: [List.self, Make.self], defaultSubcommand: List.self)

        fileprivate struct Line: Encodable {
            let channel: String
            let entries: UInt64
            let rows: UInt64
            let bytes: Int
            let chunks: Int
            let hash: String
            let madeAtMilliseconds: Int64
            /// Codes of the cells that made it again.
            let confirmedBy: [String]

            init(_ made: MadeSnapshot) {
                channel = made.manifest.channel
                entries = made.manifest.sequence
                rows = made.manifest.rows
                bytes = made.manifest.chunks.reduce(0) { $0 + $1.size }
                chunks = made.manifest.chunks.count
                hash = made.manifest.hash.bytes.hex
                madeAtMilliseconds = made.proof.acceptedAtMilliseconds
                confirmedBy = made.cells
            }

            var text: String {
                let cells =
                    confirmedBy.isEmpty
                    ? "made again by nobody yet" : "the same at \(confirmedBy.joined(separator: ", "))"
                return "\(channel)  entries 1 to \(entries), \(rows) rows, \(hash.prefix(16)), "
                    + "\(Instant.text(madeAtMilliseconds)), \(cells)"
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the snapshots that the centre keeps, and which cells found them right.",
                discussion: "EXAMPLES\n  kenh central snapshot list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let lines = try hub.snapshots().map(Line.init)
                try output.print(lines) {
                    lines.isEmpty
                        ? "There are none. Next: kenh central snapshot make CHANNEL"
                        : lines.map(\.text).joined(separator: "\n")
                }
            }
        }

        struct Make: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make a snapshot of a channel now, also while the centre is served.",
                discussion: """
                    EXAMPLES
                      kenh central snapshot make org --home /srv/kenh
                      kenh central snapshot make plan/KH1 --age 7 --home /srv/kenh     leave out the last seven days

                    Whoever begins with it cannot hand the blocks that it covers back to a centre that was restored from an
                    older backup. So make one of what your backups have.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Name of the channel (kenh central channel list).")
            var channel: String
            @Option(help: ArgumentHelp("Leave out what was accepted within so many days (0).", valueName: "days"))
            var age = 0

            func validate() throws {
                guard (0...36_500).contains(age) else { throw ValidationError("--age is a number of days") }
            }

            func run() async throws {
                let home = try home.resolve()
                let (_, hub, view) = try home.openCentre()
                try view.catchUp()
                let before = age == 0 ? Int64.max : hub.now() - Int64(age) * 86_400_000
                let last = try hub.snapshotGain(of: channel, acceptedBefore: before).sequence
                guard last > 0 else {
                    throw Failure(
                        .noInput, "there is nothing in \(channel) to make a snapshot of; see kenh central channel list")
                }
                let isTerminal = StandardError.isTerminal && !output.json
                let made = try hub.makeSnapshot(of: channel, upTo: last, in: home.path) {
                    if isTerminal { Progress.show("\($0) of \(last) entries") }
                }
                Progress.clear()
                let line = Line(made)
                try output.print(line) { line.text }
            }
        }
    }
}
