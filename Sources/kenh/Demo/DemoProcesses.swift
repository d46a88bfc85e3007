import Foundation

/// The demo's child processes: started with their output in a log file, ended by their ids.
final class DemoProcesses {
    private let folder: String
    private var running: [Process] = []

    init(folder: String) { self.folder = folder }

    private var listPath: String { folder + "/processes" }

    static var program: String { Bundle.main.executablePath ?? CommandLine.arguments[0] }

    @discardableResult
    func start(_ arguments: [String], log: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = arguments
        let path = folder + "/" + log
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw Failure(.disk, "\(path) cannot be written")
        }
        let handle = FileHandle(forWritingAtPath: path)
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
        running.append(process)
        try writeList()
        return process
    }

    /// Runs a command to its end and gives what it printed.
    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> (
        status: Int32, output: String
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let data = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    private func writeList() throws {
        let lines = running.map { "\($0.processIdentifier)\n" }.joined()
        try lines.write(toFile: listPath, atomically: true, encoding: .utf8)
    }

    func stopAll() {
        for process in running where process.isRunning { process.terminate() }
        for process in running { process.waitUntilExit() }
        running = []
        try? FileManager.default.removeItem(atPath: listPath)
    }

    /// Ends what an earlier demo left running in this folder. Only processes that still are this program are touched.
    static func stopLeftovers(folder: String) -> Int {
        let path = folder + "/processes"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
        let ids = text.split(separator: "\n").compactMap { pid_t($0) }.filter(isOurs)
        for id in ids { kill(id, SIGTERM) }
        for id in ids { waitForEnd(of: id) }
        try? FileManager.default.removeItem(atPath: path)
        return ids.count
    }

    private static func isOurs(_ id: pid_t) -> Bool {
        guard let data = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else { return false }
        let name = data.split(separator: 0).first.map { String(decoding: $0, as: UTF8.self) } ?? ""
        return (name as NSString).lastPathComponent == "kenh"
    }

    private static func waitForEnd(of id: pid_t) {
        for _ in 0..<100 where isOurs(id) { usleep(50_000) }
        if isOurs(id) { kill(id, SIGKILL) }
    }
}
