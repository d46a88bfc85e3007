import Foundation
import Testing

@Suite("Help and output")
struct HelpTests {
    private static let commands = [
        [], ["central"], ["central", "init"], ["central", "serve"], ["central", "cell"], ["central", "cell", "add"],
        ["central", "device"], ["central", "device", "add"], ["central", "erase"], ["central", "erasure"],
        ["central", "erasure", "list"], ["join"], ["daemon"], ["sync"], ["status"], ["conflicts"],
        ["conflicts", "list"], ["conflicts", "resolve"], ["history"], ["verify"], ["demo"], ["attach"], ["attachment"],
        ["attachment", "list"], ["attachment", "get"], ["attachment", "retry"],
    ]

    private func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        let files = FileManager.default.temporaryDirectory
        return try Child(KenhBinary.path, arguments, in: files, environment: environment).wait()
    }

    @Test("every command has help with examples", arguments: commands)
    func help(_ command: [String]) throws {
        let outcome = try run(command + ["--help"])
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("EXAMPLES"), "\(outcome)")
        let example = (["  kenh"] + command).joined(separator: " ")
        #expect(lines.contains { $0.hasPrefix(example) }, "\(outcome)")
        #expect(!outcome.output.contains("\u{1B}"))
    }

    @Test("the help of the command documents every exit code that it uses")
    func exitCodes() throws {
        let output = try run(["--help"]).output
        for code in [0, 1, 3, 64, 65, 66, 69, 74, 75, 77, 78] {
            #expect(output.contains { $0 == "\n" } && output.contains("\(code)  "), "exit code \(code)")
        }
    }

    @Test(
        "wrong usage is said in one line, with the help to look at, and ends with 64",
        arguments: [
            ["frobnicate"], ["--frobnicate"], ["status", "--homme", "x"], ["status", "too", "many", "--home", "x"],
            ["join", "--home", "x"], ["history", "--home", "x"], ["history", "work_item", "--home", "x"],
            ["daemon", "--interval", "soon", "--home", "x"], ["daemon", "--interval", "0", "--home", "x"],
            ["daemon", "--interval=-5", "--home", "x"], ["daemon", "--interval", "99999999999", "--home", "x"],
            ["central", "serve", "--port", "99999", "--home", "x"], ["central", "serve", "--port=-1", "--home", "x"],
            ["central", "serve", "--port", "http", "--home", "x"], ["central", "cell", "add", "--home", "x"],
            ["conflicts", "resolve", "--home", "x"],
            ["conflicts", "resolve", "a", "b", "c", "--take", "one", "--home", "x"],
            ["status", "--home"], ["demo", "--seed", "one"], ["attach", "--home", "x"],
            ["attach", "a.pdf", "--home", "x"],
            ["attachment", "get", "--home", "x"],
        ])
    func usage(_ arguments: [String]) throws {
        let outcome = try run(arguments)
        #expect(outcome.status == 64 && outcome.hasOneLineError && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains("; see kenh"), "\(outcome)")
    }

    @Test("a home has to be named, by the flag or by KENH_HOME", arguments: ["status", "sync", "daemon", "verify"])
    func missingHome(_ command: String) throws {
        let outcome = try run([command])
        #expect(outcome.status == 64 && outcome.hasOneLineError, "\(outcome)")
        #expect(outcome.errors.contains("--home") && outcome.errors.contains("KENH_HOME"), "\(outcome)")
        let named = try run([command], environment: ["KENH_HOME": "/nowhere/at/all"])
        #expect(named.status == 66 && named.errors.contains("/nowhere/at/all"), "\(named)")
    }

    @Test("no command colours or rewrites its lines where its output is no terminal")
    func plainOutput() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        try cell.sql("INSERT INTO work_item(id, channel, title) VALUES('A', 'plan/KH1', 'Việc');")
        let runs = [
            try cell.kenh("sync"), try cell.kenh("sync", "--json"), try cell.kenh("status"),
            try cell.kenh("status", "--json"), try cell.kenh("verify"), try cell.kenh("verify", "--deep", "--json"),
            try cell.kenh("history", "work_item", "A"), try cell.kenh("conflicts"),
            try cell.kenh("conflicts", "--json"),
            try organisation.centre.kenh("sync", "--json"), try organisation.centre.kenh("status"),
        ]
        for outcome in runs {
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
            #expect(!(outcome.output + outcome.errors).contains { $0 == "\u{1B}" || $0 == "\r" }, "\(outcome)")
            guard outcome.command.contains("--json") else { continue }
            let json = try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
            #expect(json != nil, "\(outcome)")
        }
    }

    @Test("a reader that goes away is no failure, a disk without room for the output is one")
    func brokenPipe() throws {
        let organisation = try Organisation(["CB1"])
        let cell = organisation["CB1"]
        for command in ["status", "sync", "verify", "--help", "sync --json"] {
            for also in ["", "2>&1"] {
                let gone = try shell("exec >&$GONE; \"$KENH\" \(command) \(also)", cell)
                #expect([0, 141].contains(gone.status) && gone.errors.isEmpty, "\(command): \(gone)")
            }
        }
        let lost = try shell("exec 2>&$GONE; \"$KENH\" status --home /nowhere", cell)
        #expect([66, 141].contains(lost.status), "\(lost)")
        guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
        let full = try shell("\"$KENH\" status > /dev/full", cell)
        #expect(full.status == 74 && full.hasOneLineError, "\(full)")
    }

    /// Runs a script in which `$GONE` is the number of a pipe whose reader is gone.
    private func shell(_ script: String, _ cell: Node) throws -> Outcome {
        let open = """
            import os, sys
            (reader, writer) = os.pipe()
            os.close(reader)
            os.set_inheritable(writer, True)
            os.environ["GONE"] = str(writer)
            os.execvp("bash", ["bash", "-c", sys.argv[1]])
            """
        return try Child(
            "/usr/bin/env", ["python3", "-c", open, script], in: cell.files,
            environment: ["KENH": KenhBinary.path, "KENH_HOME": cell.home.path]
        ).wait()
    }
}
