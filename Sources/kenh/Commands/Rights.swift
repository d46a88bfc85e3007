import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProtocol

extension Central {
    struct Channel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Channels, and who may do what in them.",
            discussion: "EXAMPLES\n  kenh central channel list --home /srv/kenh",
            subcommands: [List.self], defaultSubcommand: List.self)

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the channels of the log and the role of each cell there.",
                discussion: """
                    EXAMPLES
                      kenh central channel list --home /srv/kenh
                      kenh central channel list --grants --home /srv/kenh      what was granted, as it was stated
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Flag(help: "List grants instead of what they come to.")
            var grants = false

            private struct Line: Encodable {
                let channel: String
                let entries: UInt64
                let roles: [String: String]
            }

            private struct GrantLine: Encodable {
                let cell: String
                let channel: String
                let role: String
                let statedAtMilliseconds: Int64
            }

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                if grants { return try printGrants(hub) }
                let lines = try hub.channels().map { Line(channel: $0.name, entries: $0.entries, roles: $0.roles) }
                try output.print(lines) {
                    guard !lines.isEmpty else { return "Nothing was written yet." }
                    return lines.map { line in
                        let roles = line.roles.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                        return "\(line.channel)  \(line.entries) entries  \(roles.joined(separator: ", "))"
                    }.joined(separator: "\n")
                }
            }

            private func printGrants(_ hub: Hub) throws {
                let lines = try hub.grants().map {
                    GrantLine(
                        cell: $0.cell, channel: $0.channel, role: $0.role, statedAtMilliseconds: $0.statedAtMilliseconds
                    )
                }
                try output.print(lines) {
                    guard !lines.isEmpty else { return "Nothing was granted: every cell reads and writes everything." }
                    return lines.map {
                        "\($0.channel)  \($0.cell)  \($0.role)  since \(Instant.text($0.statedAtMilliseconds))"
                    }.joined(separator: "\n")
                }
            }
        }
    }

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a cell a role in a channel.",
            discussion: """
                EXAMPLES
                  kenh central grant CB3 plan/KH1 --home /srv/kenh                      reads and writes
                  kenh central grant CB3 org --role reader --home /srv/kenh
                  kenh central grant '*' org --role reader --home /srv/kenh             every cell
                  kenh central grant CB3 'plan/*' --role writer --home /srv/kenh        every channel that begins so
                  kenh central grant CB3 inspection/CB3 --role replies --home /srv/kenh a role of your own

                Roles are none, reader, writer, and those of kenh central role set. Of several grants that fit, the one for
                the single channel counts, then the one for the longest beginning; of these, the cell's own before '*'.
                It counts from here on: what the log has taken stays. A cell that is added gets all that the channel holds.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Code of the cell, or '*' for every cell.")
        var cell: String
        @Argument(help: "The channel, or what channels' names begin with and '*'.")
        var channel: String
        @Option(help: "Role there.")
        var role = "writer"

        func run() async throws {
            try Central.grant(role, to: cell, in: channel, home)
            try output.print(["cell": cell, "channel": channel, "role": role]) {
                "\(cell == "*" ? "Every cell" : cell) is \(role) in \(channel) from now on."
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a cell out of a channel.",
            discussion: """
                EXAMPLES
                  kenh central revoke CB3 plan/KH1 --home /srv/kenh
                  kenh central revoke '*' committee --home /srv/kenh      for every cell without a grant of its own

                Same as granting the role none. What the cell wrote until now stays. When it syncs next, what it writes there
                is struck and kept in its kenh rejected, and the channel's rows are removed from its devices. To take back a
                device instead of a cell's part in a channel: kenh central device revoke.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Code of the cell, or '*' for every cell.")
        var cell: String
        @Argument(help: "The channel, or what channels' names begin with and '*'.")
        var channel: String

        func run() async throws {
            try Central.grant("none", to: cell, in: channel, home)
            try output.print(["cell": cell, "channel": channel, "role": "none"]) {
                "\(cell == "*" ? "No cell takes" : "\(cell) takes no") part in \(channel) from now on."
            }
        }
    }

    struct Role: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Roles: what may be done to which tables.",
            discussion: """
                EXAMPLES
                  kenh central role set replies --allow finding:update --allow remedy --home /srv/kenh
                  kenh central role list --home /srv/kenh
                """,
            subcommands: [Set.self, List.self])

        struct Set: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Say what a role may write; it always reads.",
                discussion: """
                    EXAMPLES
                      kenh central role set replies --allow finding:update --allow remedy --home /srv/kenh
                      kenh central role set editors --allow '*' --allow review:insert,update --home /srv/kenh

                    TABLE alone allows insert, update and delete; '*' is every table that is not named. It counts at once for
                    all who have the role. What is not allowed is struck when the centre takes it.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Name of the role.")
            var name: String
            @Option(help: ArgumentHelp("A table, and what may be done to its rows.", valueName: "table[:operations]"))
            var allow: [String] = []

            func run() async throws {
                let (_, hub, view) = try home.resolve().openCentre()
                let rights = try Dictionary(allow.map(Self.right)) { $0.union($1) }
                try hub.define(role: name, rights: rights)
                try view.catchUp()
                try output.print(["role": name]) { "\(name): \(Role.text(rights))" }
            }

            private static func right(_ text: String) throws -> (String, Operations) {
                let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard let table = parts.first, !table.isEmpty else {
                    throw Failure(.usage, "--allow takes a table, such as finding:update; “\(text)” names none")
                }
                guard parts.count > 1 else { return (String(table), .all) }
                let operations = try parts[1].split(separator: ",").reduce(into: Operations()) { sum, name in
                    guard let known = Operations.named.first(where: { $0.name == name }) else {
                        throw Failure(.usage, "“\(name)” is none of insert, update and delete")
                    }
                    sum.formUnion(known.operation)
                }
                return (String(table), operations)
            }
        }

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the roles.", discussion: "EXAMPLES\n  kenh central role list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Line: Encodable {
                let role: String
                let reads: Bool
                let rights: [String: [String]]
            }

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let roles = try hub.roles()
                let lines = roles.map {
                    Line(role: $0.name, reads: $0.reads, rights: $0.rights.mapValues(\.names))
                }
                try output.print(lines) {
                    roles.map { "\($0.name)  \($0.reads ? "reads, " : "")\(Role.text($0.rights))" }
                        .joined(separator: "\n")
                }
            }
        }

        static func text(_ rights: [String: Operations]) -> String {
            let written = rights.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map { table, operations in
                "\(table == "*" ? "all other tables" : table) (\(operations.names.joined(separator: ", ")))"
            }
            return written.isEmpty ? "writes nothing" : "writes \(written.joined(separator: ", "))"
        }
    }

    fileprivate static func grant(_ role: String, to cell: String, in channel: String, _ home: HomeOptions) throws {
        let (_, hub, view) = try home.resolve().openCentre()
        try hub.grant(role, to: cell, in: channel)
        try view.catchUp()
    }
}

extension Operations {
    fileprivate static let named: [(name: String, operation: Operations)] = [
        ("insert", .insert), ("update", .update), ("delete", .delete),
    ]

    fileprivate var names: [String] { Self.named.filter { contains($0.operation) }.map(\.name) }
}
