import Foundation

/// The plain `sqlite3` command line tool: another program that knows nothing of Kenh.
enum SQLiteTool {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs a script; the tool's settings are its own, so that an error ends it.
    /// - Returns: what it printed.
    @discardableResult
    static func run(_ script: String, on path: String) throws -> String {
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/sqlite3")
        process.arguments = ["-batch", "-bail", path]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        input.fileHandleForWriting.write(Data(script.utf8))
        try input.fileHandleForWriting.close()
        let printed = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0, complaint.isEmpty else {
            throw Failure(description: String(decoding: complaint, as: UTF8.self))
        }
        return String(decoding: printed, as: UTF8.self)
    }
}
