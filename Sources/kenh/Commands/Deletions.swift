import ArgumentParser
import Foundation
import KenhHub
import KenhProtocol
import KenhSettings

extension Central {
    struct Deletion: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deletions, and when they become final.",
            discussion: """
                EXAMPLES
                  kenh central deletion list --home /srv/kenh
                  kenh central deletion settle --home /srv/kenh

                A deleted row's values are kept until every device that reads the channel has said that it knows of the
                deletion and has sent all that it wrote before. From then on the row is in nobody's tables or histories of
                rows; the log keeps its blocks. A centre that serves settles by itself every day.

                A device that stays away for over a year (deletions.patience) is not waited for. What it wrote in such a row
                meanwhile is in its kenh rejected when it comes back, whole, to be entered anew.
                """,
            subcommands: [List.self, Settle.self], defaultSubcommand: List.self)

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List channels with deletions that are not final yet, who is waited for, and what is final.",
                discussion: "EXAMPLES\n  kenh central deletion list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Result: Encodable {
                struct Device: Encodable {
                    let cell: String
                    let name: String
                }

                struct Waiting: Encodable {
                    let channel: String
                    let sinceMilliseconds: Int64
                    let devices: [Device]
                }

                struct Final: Encodable {
                    let channel: String
                    let atMilliseconds: Int64
                    let writes: Int
                }

                let waiting: [Waiting]
                let final: [Final]
            }

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let result = Result(
                    waiting: try hub.deletions().map { summary in
                        .init(
                            channel: summary.channel, sinceMilliseconds: summary.askedAtMilliseconds,
                            devices: summary.waiting.map { .init(cell: $0.cell, name: $0.name) })
                    },
                    final: try hub.finalDeletions().map {
                        .init(channel: $0.channel, atMilliseconds: $0.acceptedAtMilliseconds, writes: $0.writes)
                    })
                try output.print(result) { Self.text(result) }
            }

            private static func text(_ result: Result) -> String {
                let waiting = result.waiting.map { channel in
                    let devices = channel.devices.map { "\($0.cell) (\($0.name))" }.joined(separator: ", ")
                    return "\(channel.channel)  since \(Instant.text(channel.sinceMilliseconds))  "
                        + (devices.isEmpty ? "everybody knows: kenh central deletion settle" : "waits for \(devices)")
                }
                let final = result.final.map {
                    "\($0.channel)  final on \(Instant.text($0.atMilliseconds))  \($0.writes) writes"
                }
                let lines = waiting + final
                return lines.isEmpty ? "Nothing is waited for, and nothing is final." : lines.joined(separator: "\n")
            }
        }

        struct Settle: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make deletions final that everybody knows of, and begin to wait for the word on others.",
                discussion: """
                    EXAMPLES
                      kenh central deletion settle --home /srv/kenh
                      kenh central deletion settle --patience 30 --home /srv/kenh     wait for nobody longer than 30 days
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Option(help: ArgumentHelp("Wait so many days for a device (366).", valueName: "days"))
            var patience: Int?

            func validate() throws {
                guard patience.map(Settings.days.contains) ?? true else {
                    throw ValidationError("--patience is a number of days from 0 to 36500")
                }
            }

            private struct Result: Encodable {
                let writes: Int
                let channels: [String]
            }

            func run() async throws {
                let home = try home.resolve()
                let (_, _, view) = try home.openCentre()
                let days =
                    try patience ?? Settings(home: home).int("deletions.patience", in: Settings.days, default: 366)
                let report = try view.settleDeletions(patience: Int64(days) * 86_400_000)
                try output.print(Result(writes: report.writes, channels: report.channels)) {
                    report.writes == 0
                        ? "Nothing became final. Who is waited for: kenh central deletion list"
                        : "\(report.writes) writes of deleted rows are final in \(report.channels.joined(separator: ", "))."
                }
            }
        }
    }
}
