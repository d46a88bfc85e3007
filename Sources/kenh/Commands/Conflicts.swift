import ArgumentParser
import Foundation
import KenhMerge
import KenhStore

struct Conflicts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the values that were written at the same time, and choose between them.",
        discussion: """
            EXAMPLES
              kenh conflicts --home ~/kenh
              kenh conflicts resolve work_item KH6/01 title --keep --home ~/kenh
              kenh conflicts resolve work_item KH6/01 title --take 1 --home ~/kenh
              kenh conflicts resolve work_item KH6/01 title --value "…" --home ~/kenh
            """,
        subcommands: [List.self, Resolve.self], defaultSubcommand: List.self)

    fileprivate static func unknown(_ table: String) -> Failure {
        Failure(.noInput, "there is no synced table \(table); kenh status lists them")
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the open conflicts.",
            discussion:
                "EXAMPLES\n  kenh conflicts list --home ~/kenh\n  kenh conflicts list --table work_item --home ~/kenh")

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only of this table.")
        var table: String?

        func run() async throws {
            let store = try home.resolve().openStore()
            if let table, store.schema.table(table) == nil { throw Conflicts.unknown(table) }
            let conflicts = try store.conflicts(table: table)
            try output.print(conflicts.map(ConflictOutput.init)) {
                conflicts.isEmpty ? "No conflicts." : conflicts.map(ConflictOutput.text).joined(separator: "\n")
            }
        }
    }

    struct Resolve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Choose a value; every node then shows it and the conflict is gone.",
            discussion: """
                EXAMPLES
                  kenh conflicts resolve work_item KH6/01 title --keep --home ~/kenh
                  kenh conflicts resolve work_item KH6/01 title --take 1 --home ~/kenh
                  kenh conflicts resolve work_item KH6/01 --home ~/kenh
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Table.")
        var table: String
        @Argument(help: "Id of the row.")
        var id: String
        @Argument(help: "Column; leave it out to keep a row that was edited while another deleted it.")
        var column: String?
        @Flag(help: "Keep the value that is shown.")
        var keep = false
        @Option(help: ArgumentHelp("Take the n-th value that was not shown.", valueName: "n"))
        var take: Int?
        @Option(help: "Write another value.")
        var value: String?

        func run() async throws {
            let store = try home.resolve().openStore()
            guard let column else {
                try find(store) { if case .keptDespiteDelete = $0 { true } else { false } }
                try store.keep(table: table, id: try rowID(store))
                return try output.print(["resolved": true]) { "Kept \(table) \(id)." }
            }
            let value = try chosen(store, column)
            try store.resolve(table: table, id: try rowID(store), column: column, to: value)
            try output.print(["resolved": true]) { "\(table) \(id): \(column) is now “\(value)”." }
        }

        private func rowID(_ store: Store) throws -> Value {
            guard let declared = store.schema.table(table) else {
                throw Conflicts.unknown(table)
            }
            guard declared.idType == .blob else { return .text(id) }
            guard let bytes = [UInt8](hex: id) else {
                throw Failure(.badData, "the id “\(id)” is not hex, as those of \(table) are; kenh conflicts shows it")
            }
            return .blob(bytes)
        }

        @discardableResult
        private func find(_ store: Store, _ matches: (Conflict.Kind) -> Bool) throws -> Conflict {
            let row = try rowID(store)
            guard let found = try store.conflicts(table: table).first(where: { $0.id == row && matches($0.kind) })
            else {
                throw Failure(.noInput, "\(table) \(id) has no such conflict; kenh conflicts lists them")
            }
            return found
        }

        private func chosen(_ store: Store, _ column: String) throws -> Value {
            let conflict = try find(store) { kind in
                if case .values(column, _, _) = kind { true } else { false }
            }
            guard case .values(_, let shown, let losers) = conflict.kind else { return .null }
            guard [keep, take != nil, value != nil].filter(\.self).count == 1 else {
                throw Failure(.usage, "choose one of --keep, --take N and --value TEXT")
            }
            if keep { return shown.value }
            if let take {
                guard losers.indices.contains(take - 1) else {
                    throw Failure(.usage, "there are \(losers.count) other values; --take takes 1 to \(losers.count)")
                }
                return losers[take - 1].value
            }
            return try typed(value ?? "", like: store.schema.table(table)?.columns.first { $0.name == column }?.type)
        }

        private func typed(_ text: String, like type: ColumnType?) throws -> Value {
            switch type {
            case .integer:
                guard let number = Int64(text) else {
                    throw Failure(
                        .badData, "“\(text)” is no whole number, which the column needs; give one with --value")
                }
                return .integer(number)
            case .real:
                guard let number = Double(text) else {
                    throw Failure(.badData, "“\(text)” is no number, which the column needs; give one with --value")
                }
                return .real(number)
            default: return .text(text)
            }
        }
    }
}

struct ConflictOutput: Encodable {
    struct Entry: Encodable {
        let value: String
        let author: String
        let at: String
    }

    let table: String
    let id: String
    let channel: String
    let loudness: String
    let kind: String
    let column: String?
    let shown: Entry?
    let losers: [Entry]

    init(_ conflict: Conflict) {
        table = conflict.table
        id = "\(conflict.id)"
        channel = conflict.channel
        loudness = conflict.loudness.rawValue
        switch conflict.kind {
        case .values(let column, let shown, let losers):
            (kind, self.column) = ("values", column)
            self.shown = Self.entry(shown)
            self.losers = losers.map(Self.entry)
        case .keptDespiteDelete(let editors):
            (kind, column, shown) = ("keptDespiteDelete", nil, nil)
            losers = editors.map { Entry(value: "", author: $0, at: "") }
        }
    }

    private static func entry(_ value: ConflictValue) -> Entry {
        Entry(value: "\(value.value)", author: author(value), at: Instant.text(value.atMilliseconds))
    }

    private static func author(_ value: ConflictValue) -> String {
        value.officer.isEmpty ? value.author : "\(value.author) (\(value.officer))"
    }

    static func text(_ conflict: Conflict) -> String {
        switch conflict.kind {
        case .values(let column, let shown, let losers):
            var lines = ["\(conflict.table) \(conflict.id) · \(column) (\(conflict.loudness.rawValue))"]
            lines.append("  shown  “\(shown.value)”  \(author(shown)), \(Instant.text(shown.atMilliseconds))")
            for (place, loser) in losers.enumerated() {
                lines.append(
                    "  \(place + 1)      “\(loser.value)”  \(author(loser)), \(Instant.text(loser.atMilliseconds))")
            }
            return lines.joined(separator: "\n")
        case .keptDespiteDelete(let editors):
            return
                "\(conflict.table) \(conflict.id) · was deleted while \(editors.joined(separator: ", ")) edited it; kept"
        }
    }
}
