import Foundation
import KenhTesting
import Testing

@Suite("Hostile requests")
struct HostileTests {
    @Test("get no failure, change nobody's data and take no memory, while an honest cell syncs")
    func refused() async throws {
        let files = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent(
            "kenh-host-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: files) }
        let run = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Hostile/hostile.py").standardizedFileURL.path
        let outcome = try await Blocking.run {
            try Child(
                Python.command[0],
                Python.command.dropFirst() + ["-B", run, "--kenh", KenhBinary.path, "--requests", "2000"],
                in: files
            ).wait(seconds: 900)
        }
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains(", 0 failed"), "\(outcome)")
    }
}
