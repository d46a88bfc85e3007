import Foundation
import KenhTesting
import Testing

@Suite("The second client")
struct ConformanceTests {
    @Test("written from the protocol's text alone comes to the same as the real centre and a real cell")
    func agrees() async throws {
        let files = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent(
            "kenh-conf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: files) }
        let run = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Protocol/conformance/run.py").standardizedFileURL.path
        let outcome = try await Blocking.run {
            try Child(
                Python.command[0], Python.command.dropFirst() + ["-B", run, "--kenh", KenhBinary.path], in: files
            ).wait(seconds: 1800)
        }
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains(" 0 failed"), "\(outcome)")
    }
}

enum Python {
    /// Debian's own interpreter sees the packages that `Deploy/setup` installs; another may be first in the path.
    static let command =
        FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")
        ? ["/usr/bin/python3"] : ["/usr/bin/env", "python3"]
}
