import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, without trusting the centre, that nothing was left out or rewritten.",
        discussion: """
            EXAMPLES
              kenh audit export term.audit --home /srv/kenh          at the centre
              kenh audit checkpoints --home ~/kenh >cb3.notes        in a cell
              kenh audit verify term.audit --checkpoints cb3.notes   anywhere, off line
            """,
        subcommands: [Export.self, Verify.self, Checkpoints.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the centre's whole log into a file that anybody can check.",
            discussion: """
                EXAMPLES
                  kenh audit export term.audit --home /srv/kenh

                The file begins with a text that says who wrote what (less term.audit). It holds everything that was
                written: give it only to those who may read all of it.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The file to write; nothing may be there.")
        var file: String

        func run() throws {
            let home = try home.resolve()
            let store = try home.openStore()
            guard try home.role(store) == .centre else {
                throw Failure(.configuration, "\(home.path) is a cell's home; the centre has the log, give its --home")
            }
            guard !FileManager.default.fileExists(atPath: file) else {
                throw Failure(.badData, "there is a file \(file) already; choose another name")
            }
            let export = AuditExport(hub: try home.hub(store), checkpoints: try store.checkpoints())
            let text = try WholeFile.write(to: file) { handle in
                try export.run { done, all in
                    if StandardError.isTerminal, !output.json, done % 64 == 0 { Progress.show("\(done * 100 / all) %") }
                } _: {
                    try handle.write(contentsOf: $0)
                }
            }
            Progress.clear()
            try output.print(["file": file]) {
                "\(text)\nWrote \(file). Anybody can check it: kenh audit verify \(file)"
            }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check an audit file, off line.",
            discussion: """
                EXAMPLES
                  kenh audit verify term.audit
                  kenh audit verify term.audit --organisation c54433bf…
                  kenh audit verify term.audit --checkpoints cb3.notes --checkpoints cb5.notes

                Every block's bytes, hash, signature and place in its writer's chain are checked, every entry's place in
                the log, and the whole against the checkpoints that the centre had signed. Those that cells kept show
                whether the centre has rewritten its log. Exits with 3 where something is wrong.
                """)

        @OptionGroup var output: OutputOptions
        @Argument(help: "The file.")
        var file: String
        @Option(help: "Fingerprint of the organisation that it has to be of, in hex.")
        var organisation: String?
        @Option(help: "A file of checkpoints that somebody kept.")
        var checkpoints: [String] = []

        private struct Result: Encodable {
            let organisation: String
            let entries: UInt64
            let blocks: Int
            let changes: Int
            let erasedValues: Int
            let remarks: [String]
            let problems: [String]
        }

        func run() throws {
            var wanted: Hash256?
            if let organisation {
                guard let bytes = [UInt8](hex: organisation), let hash = Hash256(bytes: bytes) else {
                    throw ValidationError("--organisation is 64 hex digits; kenh audit checkpoints shows them")
                }
                wanted = hash
            }
            var notes: [(name: String, note: String)] = []
            for path in checkpoints {
                let found = SignedNote.split(try Self.text(path))
                guard !found.isEmpty else { throw Failure(.badData, "\(path) holds no checkpoints") }
                notes += found.enumerated().map { ("checkpoint \($0.offset + 1) of \(path)", $0.element) }
            }
            let handle: FileHandle
            do { handle = try FileHandle(forReadingFrom: URL(filePath: file)) } catch {
                throw Failure(.noInput, "\(file) cannot be read; check the name")
            }
            defer { try? handle.close() }
            let report = try AuditVerifier(organisation: wanted, notes: notes).verify(handle) { entries in
                if StandardError.isTerminal, !output.json, entries % 256 == 0 { Progress.show("\(entries) entries") }
            }
            Progress.clear()
            try output.print(
                Result(
                    organisation: report.organisation, entries: report.entries, blocks: report.blocks,
                    changes: report.changes, erasedValues: report.erasedValues, remarks: report.remarks,
                    problems: report.problems)
            ) { Self.text(report, wanted: wanted) }
            guard report.isGood else { throw Failure(.findings, "\(report.problems.count) problems found in \(file)") }
        }

        private static func text(_ path: String) throws -> String {
            guard let data = try? Data(contentsOf: URL(filePath: path)), data.count <= 64 << 20 else {
                throw Failure(.noInput, "\(path) cannot be read; check the name")
            }
            return String(decoding: data, as: UTF8.self)
        }

        private static func text(_ report: AuditReport, wanted: Hash256?) -> String {
            let remarks = report.remarks.map { "Note: \($0).\n" }.joined()
            guard report.isGood else { return remarks + report.problems.joined(separator: "\n") }
            let advice = wanted == nil ? " Compare the organisation's fingerprint with one that you trust." : ""
            let erased = report.erasedValues > 0 ? " \(report.erasedValues) erased values are accounted for." : ""
            return "\(report.text)\n\(remarks)All good: no gaps, nothing rewritten.\(erased)\(advice)"
        }
    }

    struct Checkpoints: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the checkpoints of the centre's log that this device keeps.",
            discussion: """
                EXAMPLES
                  kenh audit checkpoints --home ~/kenh >cb3.notes

                Each says how large the log was and what was in it, signed by the centre: give them to an inspector.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions

        private struct Result: Encodable {
            let size: UInt64
            let seenAtMilliseconds: Int64
            let isContradicted: Bool
            let note: String
        }

        func run() throws {
            let kept = try home.resolve().openStore().checkpoints()
            try output.print(
                kept.map {
                    Result(
                        size: $0.checkpoint.size, seenAtMilliseconds: $0.atMilliseconds,
                        isContradicted: $0.isContradicted, note: $0.note)
                }
            ) { kept.map(\.note).joined(separator: "\n") }
        }
    }
}
