import Foundation
import Synchronization

/// What a program left behind.
struct Outcome: Sendable, CustomStringConvertible {
    let command: String
    /// Its exit code, or 128 and the signal that ended it.
    let status: Int32
    let output: String
    let errors: String

    var description: String { "\(command)\nexit \(status)\n\(output)\(errors)" }

    /// One line that begins with the program's name, and no escape codes.
    var hasOneLineError: Bool {
        errors.hasPrefix("kenh: ") && errors.hasSuffix("\n") && errors.dropLast().allSatisfy { !$0.isNewline }
            && !errors.contains("\u{1B}")
    }

    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]) ?? [:]
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A process that runs with its input and output in files, and is ended by its id.
final class Child: Sendable {
    private let process: Process
    private let command: String
    private let files: URL
    private let hasEnded = DispatchSemaphore(value: 0)
    private let outcome = Mutex<Outcome?>(nil)

    /// - Parameters:
    ///   - files: a folder for the process's input and output; its working folder, too.
    ///   - environment: beside PATH and HOME, which is all that it gets of ours.
    init(
        _ program: String, _ arguments: [String], input: String = "", in files: URL,
        environment: [String: String] = [:]
    ) throws {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw TestFailure("\(program) is not there; build kenh beside the tests, or set KENH_BINARY")
        }
        command = ([program] + arguments).joined(separator: " ")
        self.files = files.appendingPathComponent("run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.files, withIntermediateDirectories: true)
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = files
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "HOME": files.path].merging(environment) { $1 }
        try Data(input.utf8).write(to: file("in"))
        for name in ["out", "err"] { try Data().write(to: file(name)) }
        process.standardInput = try FileHandle(forReadingFrom: file("in"))
        process.standardOutput = try FileHandle(forWritingTo: file("out"))
        process.standardError = try FileHandle(forWritingTo: file("err"))
        let hasEnded = hasEnded
        process.terminationHandler = { _ in hasEnded.signal() }
        try process.run()
    }

    private func file(_ name: String) -> URL { files.appendingPathComponent(name) }

    private func text(_ name: String) -> String {
        (try? Data(contentsOf: file(name))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    var id: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    /// What it has said so far.
    var errorsSoFar: String { text("err") }
    var outputSoFar: String { text("out") }

    func send(_ signal: Int32) { if process.isRunning { kill(id, signal) } }

    /// Waits for its end; what hangs is killed, and its outcome says so.
    func wait(seconds: Int = 120) -> Outcome {
        if let known = outcome.withLock({ $0 }) { return known }
        if hasEnded.wait(timeout: .now() + .seconds(seconds)) == .timedOut {
            kill(id, SIGKILL)
            hasEnded.wait()
        }
        let wasSignalled = process.terminationReason == .uncaughtSignal
        let result = Outcome(
            command: command, status: (wasSignalled ? 128 : 0) + process.terminationStatus, output: text("out"),
            errors: text("err"))
        outcome.withLock { $0 = result }
        try? FileManager.default.removeItem(at: files)
        return result
    }
}
