import Foundation
import Testing

@Suite("The demo")
struct DemoTests {
    private func temporaryFolder() throws -> URL {
        let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent(
            "kenh-demo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private func check(_ folder: URL, in files: URL, _ more: [String] = []) throws -> Outcome {
        try Child("/usr/bin/env", ["python3", Checker.path, folder.path] + more, in: files).wait()
    }

    @Test("plays its month to equal stores, which the independent check confirms, and that check sees every difference")
    func demo() throws {
        let files = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: files) }
        let folder = files.appendingPathComponent("demo")
        let played = try Child(
            KenhBinary.path, ["demo", "--dir", folder.path, "--seed", "7", "--checker", Checker.path], in: files
        ).wait(seconds: 240)
        #expect(played.status == 0, "\(played)")
        #expect(played.output.contains("all equal"), "\(played)")
        #expect(!played.output.contains("\u{1B}"))
        #expect(try check(folder, in: files, ["--min-rows", "1000"]).status == 0)
        #expect(try check(folder, in: files, ["--min-rows", "10000000"]).status == 1, "too few rows are no success")
        for (what, change) in Self.changes { try expectSeen(what, change, folder, files) }
    }

    private static let changes = [
        ("a changed row", "UPDATE work_item SET title = title || '.' WHERE id = (SELECT min(id) FROM work_item);"),
        ("a value of another type", "UPDATE work_item SET title = NULL WHERE id = (SELECT min(id) FROM work_item);"),
        ("a missing row", "DELETE FROM progress_entry WHERE id = (SELECT min(id) FROM progress_entry);"),
        ("an additional row", "INSERT INTO work_item(id, channel, title) VALUES('thêm', 'plan/KH1', 'Việc');"),
        ("a changed digest", "UPDATE kenh_channel SET digest = randomblob(16) WHERE name = 'org';"),
        ("a missing table", "DROP TABLE review;"),
    ]

    /// Changes a copy of one cell's store without Kenh noticing; the rest stays as it is.
    private func expectSeen(_ what: String, _ change: String, _ folder: URL, _ files: URL) throws {
        let store = folder.appendingPathComponent("cells/CB3/kenh.db")
        let kept = try Data(contentsOf: store)
        defer { try? kept.write(to: store) }
        let changed = try Child(
            "/usr/bin/sqlite3", ["-batch", "-bail", "-cmd", ".dbconfig enable_trigger off", store.path], input: change,
            in: files
        ).wait()
        #expect(changed.status == 0 && changed.errors.isEmpty, "\(changed)")
        let seen = try check(folder, in: files)
        #expect(
            seen.status == 1 && seen.output.contains("NOT EQUAL") && seen.output.contains("CB3"), "\(what): \(seen)")
    }
}
