import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProtocol

extension Central.Device {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List devices, with their cells and keys.",
            discussion: "EXAMPLES\n  kenh central device list --home /srv/kenh")

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions

        private struct Line: Encodable {
            let cell: String
            let name: String
            let key: String
            let revokedAtMilliseconds: Int64?
        }

        func run() async throws {
            let (_, hub, _) = try home.resolve().openCentre()
            let lines = try hub.devices().map {
                Line(cell: $0.cell, name: $0.name, key: $0.key.hex, revokedAtMilliseconds: $0.revokedAtMilliseconds)
            }
            try output.print(lines) {
                lines.map { line in
                    let revoked = line.revokedAtMilliseconds.map { "  revoked \(Instant.text($0))" } ?? ""
                    return "\(line.cell.isEmpty ? "centre" : line.cell)  \(line.name)  \(line.key.prefix(16))\(revoked)"
                }.joined(separator: "\n")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take nothing from a device any more, and send it nothing.",
            discussion: """
                EXAMPLES
                  kenh central device revoke laptop-CB3 --reason "stolen" --home /srv/kenh
                  kenh central device revoke 4f0c19aa72 --home /srv/kenh       by the beginning of its key

                For a laptop that was stolen or lost, or is given away. What it had sent stays. What it still hands in is
                kept aside: kenh central quarantine. It cannot be undone; the device can join anew with a new code.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Name of the device, or at least 8 digits of its key.")
        var device: String
        @Option(help: "Its cell, where several have a device of that name.")
        var cell: String?
        @Option(help: "Why, for those who read the log later.")
        var reason = ""

        func run() async throws {
            let (_, hub, view) = try home.resolve().openCentre()
            let found = try hub.devices().filter { isMeant($0) }
            guard let first = found.first else {
                throw Failure(.noInput, "there is no device \(device); see kenh central device list")
            }
            guard found.count == 1 else {
                throw Failure(.badData, "\(found.count) devices are called \(device); give --cell, or the key's digits")
            }
            try hub.revoke(first.key, reason: reason)
            try view.catchUp()
            try output.print(["device": first.key.hex]) {
                "Revoked “\(first.name)” of \(first.cell). What it still hands in: kenh central quarantine list"
            }
        }

        private func isMeant(_ known: RegisteredDevice) -> Bool {
            guard cell == nil || cell == known.cell, !known.cell.isEmpty else { return false }
            return known.name == device || device.count >= 8 && known.key.hex.hasPrefix(device.lowercased())
        }
    }
}

extension Central {
    struct Quarantine: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What revoked devices still handed in.",
            discussion: """
                EXAMPLES
                  kenh central quarantine list --home /srv/kenh
                  kenh central quarantine accept 3fa94c0d21 --home /srv/kenh
                  kenh central quarantine drop --all --home /srv/kenh
                """,
            subcommands: [List.self, Accept.self, Drop.self])

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the blocks that wait for a decision.",
                discussion: "EXAMPLES\n  kenh central quarantine list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Line: Encodable {
                let block: String
                let cell: String
                let device: String
                let officer: String
                let channel: String
                let firstChange: UInt64
                let lastChange: UInt64
                let receivedAtMilliseconds: Int64
            }

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let devices = Dictionary(try hub.devices().map { ($0.key, $0) }) { $1 }
                let lines = try hub.quarantined().map { block in
                    let wire = try WireCoding.decode(WireBlock.self, from: block.payload)
                    let header = try BlockHeader(decoding: Array(wire.header))
                    return Line(
                        block: block.hash.bytes.hex, cell: devices[block.writer]?.cell ?? "",
                        device: devices[block.writer]?.name ?? "", officer: header.officer, channel: header.channel,
                        firstChange: header.firstCounter, lastChange: header.lastCounter,
                        receivedAtMilliseconds: block.receivedAtMilliseconds)
                }
                try output.print(lines) {
                    guard !lines.isEmpty else { return "Nothing waits." }
                    return lines.map {
                        "\($0.block.prefix(12))  \($0.cell)  “\($0.device)”  \($0.officer)  \($0.channel)  changes "
                            + "\($0.firstChange)–\($0.lastChange)  \(Instant.text($0.receivedAtMilliseconds))"
                    }.joined(separator: "\n")
                }
            }
        }

        struct Choice: ParsableArguments {
            @Argument(help: "Blocks, by at least 8 digits of their hashes.")
            var blocks: [String] = []
            @Flag(help: "All that wait.")
            var all = false

            func validate() throws {
                guard all != !blocks.isEmpty else { throw ValidationError("name blocks, or give --all") }
                guard blocks.allSatisfy({ $0.count >= 8 }) else {
                    throw ValidationError("a block is named by at least 8 digits of its hash")
                }
            }

            func includes(_ block: QuarantinedBlock) -> Bool {
                all || blocks.contains { block.hash.bytes.hex.hasPrefix($0.lowercased()) }
            }
        }

        struct Accept: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Take blocks into the log.",
                discussion: """
                    EXAMPLES
                      kenh central quarantine accept 3fa94c0d21 --home /srv/kenh
                      kenh central quarantine accept --all --home /srv/kenh
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @OptionGroup var choice: Choice

            func run() async throws {
                let (_, hub, view) = try home.resolve().openCentre()
                let report = try hub.acceptQuarantined { choice.includes($0) }
                try view.catchUp()
                try output.print(["accepted": report.accepted]) { "Took \(report.accepted) blocks into the log." }
                guard report.accepted > 0 || !report.refusals.isEmpty else {
                    throw Failure(.noInput, "no such block waits; see kenh central quarantine list")
                }
                guard report.refusals.isEmpty else {
                    throw Failure(.findings, report.refusals.joined(separator: "; "))
                }
            }
        }

        struct Drop: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Drop blocks for good.",
                discussion: "EXAMPLES\n  kenh central quarantine drop --all --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @OptionGroup var choice: Choice

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let report = try hub.dropQuarantined { choice.includes($0) }
                try output.print(["dropped": report.dropped]) { "Dropped \(report.dropped) blocks." }
                guard report.dropped > 0 else {
                    throw Failure(.noInput, "no such block waits; see kenh central quarantine list")
                }
            }
        }
    }
}
