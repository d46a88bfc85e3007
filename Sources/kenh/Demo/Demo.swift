import ArgumentParser
import Foundation
import KenhProgramme
import KenhWords

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a month of an organisation: one centre, five cells, a network that is cut and comes back.",
        discussion: """
            EXAMPLES
              kenh demo
              KENH_LANG=en kenh demo --seed 7
              kenh demo --keep        leaves everything running and says how to look around
              kenh demo --stop        ends what --keep left running
            """)

    @Option(help: ArgumentHelp("Where the demo's stores go.", valueName: "dir"))
    var dir = ".build/demo"
    @Option(help: "Another seed plays another month.")
    var seed: UInt64 = 2022
    @Flag(help: "Leave centre, cells and lines running (KEEP=1 does the same).")
    var keep = false
    @Flag(help: "End what --keep left running.")
    var stop = false
    @Option(help: ArgumentHelp("The script that compares every cell with the centre.", valueName: "file"))
    var checker = "Tests/EndToEndTests/check_demo.py"
    @Option(help: ArgumentHelp("Keep lines open: PORT=TARGET, comma between.", visibility: .hidden))
    var lines: String?

    func run() async throws {
        if let lines { return try keepLines(lines) }
        let folder = URL(fileURLWithPath: dir).standardizedFileURL.path
        let ended = DemoProcesses.stopLeftovers(folder: folder)
        if stop { return print("\(ended) processes ended") }
        let environment = ProcessInfo.processInfo.environment
        let language = Language(locale: environment["KENH_LANG"] ?? environment["LC_ALL"] ?? environment["LANG"])
        let demo = DemoRun(folder: folder, seed: seed, language: language)
        let status = try await demo.run(
            keep: keep || environment["KEEP"] == "1",
            checker: FileManager.default.fileExists(atPath: checker) ? checker : nil)
        guard status == 0 else { throw ExitCode(status) }
    }

    private func keepLines(_ text: String) throws {
        let forwarders = try text.split(separator: ",").map { pair in
            let ports = pair.split(separator: "=").compactMap { UInt16($0) }
            guard ports.count == 2 else { throw Failure(.usage, "lines are PORT=TARGET") }
            return try Forwarder(port: ports[0], to: ports[1])
        }
        withExtendedLifetime(forwarders) { while true { pause() } }
    }
}
