import Foundation
import Testing

/// A cell's or the centre's home, worked with as a person at its keyboard would.
struct Node: Sendable {
    let name: String
    let home: URL
    let files: URL
    /// The way to the centre; nil for the centre itself.
    let line: Line?

    var database: String { home.appendingPathComponent("kenh.db").path }

    func kenh(_ arguments: String..., input: String = "", environment: [String: String] = [:]) throws -> Outcome {
        try start(arguments, input: input, environment: environment).wait()
    }

    func start(_ arguments: [String], input: String = "", environment: [String: String] = [:]) throws -> Child {
        try Child(
            KenhBinary.path, arguments + ["--home", home.path], input: input, in: files, environment: environment)
    }

    func sync() throws -> Outcome { try kenh("sync") }

    /// A sync that has to succeed.
    @discardableResult
    func synced(sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let outcome = try sync()
        #expect(outcome.status == 0, "\(name): \(outcome)", sourceLocation: sourceLocation)
        return outcome
    }

    /// Runs a script in the plain sqlite3 tool.
    @discardableResult
    func sql(_ script: String, of file: String = "kenh.db") throws -> String {
        let path = home.appendingPathComponent(file).path
        let outcome = try Child(
            "/usr/bin/sqlite3", ["-batch", "-bail", "-cmd", ".timeout 20000", path], input: script, in: files
        ).wait()
        guard outcome.status == 0, outcome.errors.isEmpty else { throw TestFailure("\(name): \(outcome)\n\(script)") }
        return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func status(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
        let outcome = try kenh("status", "--json")
        #expect(outcome.status == 0, "\(name): \(outcome)", sourceLocation: sourceLocation)
        return outcome.json
    }

    /// Digests by channel, without the registry, which has none.
    func digests(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: String] {
        let digests = try status(sourceLocation: sourceLocation)["digests"] as? [String: String] ?? [:]
        return digests.filter { !$0.key.hasPrefix("kenh/") }
    }

    /// Every file of the home with its content, to see that nothing was changed.
    func files(under folder: URL? = nil) -> [String: Data] {
        Node.content(of: folder ?? home)
    }

    static func content(of folder: URL) -> [String: Data] {
        var found: [String: Data] = [:]
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? [] {
            let path = folder.appendingPathComponent(name).path
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            found[name] = FileManager.default.contents(atPath: path)
        }
        return found
    }
}
