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
    let id: pid_t
    private let command: String
    private let files: URL
    private struct State {
        /// Nil while it runs; then its id may be another's.
        var status: Int32?
        var outcome: Outcome?
    }
    private let state: Mutex<State>
    private let hasEnded: DispatchSemaphore

    /// - Parameters:
    ///   - files: a folder for the process's input and output; its working folder, too.
    ///   - environment: beside PATH, HOME and what sanitizers are told, which is all that it gets of ours.
    init(
        _ program: String, _ arguments: [String], input: String = "", in files: URL,
        environment: [String: String] = [:]
    ) throws {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw TestFailure("\(program) is not there; build kenh beside the tests, or set KENH_BINARY")
        }
        command = ([program] + arguments).joined(separator: " ")
        let own = files.appendingPathComponent("run-\(UUID().uuidString)")
        self.files = own
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        try Data(input.utf8).write(to: own.appendingPathComponent("in"))
        var ours = ProcessInfo.processInfo.environment.filter { ["ASAN_OPTIONS", "TSAN_OPTIONS"].contains($0.key) }
        ours["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        ours["HOME"] = files.path
        state = Mutex(State())
        hasEnded = DispatchSemaphore(value: 0)
        id = try Spawn.start(
            program, arguments, environment: ours.merging(environment) { $1 },
            files: Spawn.Files(
                folder: files.path, input: own.appendingPathComponent("in").path,
                output: own.appendingPathComponent("out").path, errors: own.appendingPathComponent("err").path))
        Thread.detachNewThread { [self] in
            Spawn.waitForEnd(of: id)
            state.withLock { $0.status = Spawn.reap(id) }
            hasEnded.signal()
        }
    }

    private func text(_ name: String) -> String {
        let data = try? Data(contentsOf: files.appendingPathComponent(name))
        return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    var isRunning: Bool { state.withLock { $0.status == nil } }
    /// What it has said so far.
    var errorsSoFar: String { text("err") }
    var outputSoFar: String { text("out") }

    func send(_ signal: Int32) { state.withLock { if $0.status == nil { kill(id, signal) } } }

    /// Waits for its end; what hangs is killed, and its outcome says so.
    func wait(seconds: Int = 120) -> Outcome {
        if let known = state.withLock({ $0.outcome }) { return known }
        if hasEnded.wait(timeout: .now() + .seconds(seconds)) == .timedOut {
            send(SIGKILL)
            hasEnded.wait()
        }
        let status = state.withLock { $0.status } ?? -1
        let result = Outcome(command: command, status: status, output: text("out"), errors: text("err"))
        state.withLock { $0.outcome = result }
        try? FileManager.default.removeItem(at: files)
        return result
    }
}
