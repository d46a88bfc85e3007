import Foundation
import KenhMerge
import KenhStore
import KenhTesting
import Testing

@Suite("Transfers of attachments in a store")
struct TransferTests {
    private let organisation: OrganisationFixture
    private let hash = SampleBlob(10).hash

    init() throws { organisation = try OrganisationFixture() }

    private func transfer(_ direction: Transfer.Direction = .up) -> Transfer {
        Transfer(hash: hash, channel: "plan/KH1", direction: direction, size: 10, type: "image/png")
    }

    @Test("are kept as they are, begin anew where they are added again, and do not come back once they are gone")
    func keeping() throws {
        let store = organisation["A"].store
        try store.add(transfer())
        try store.add(transfer(.down))
        var changed = transfer()
        (changed.isDone, changed.tries, changed.nextAtMilliseconds, changed.error) = (true, 3, 77, "vì đĩa đầy")
        changed.epoch = [1, 2]
        try store.update(changed)
        #expect(try store.transfers() == [transfer(.down), changed])
        try store.add(transfer())
        #expect(
            try store.transfers().first { $0.direction == .up }.map { [$0.isDone, $0.tries == 0] } == [false, true])
        try store.write { try $0.execute("DELETE FROM kenh_transfer") }
        try store.update(changed)
        #expect(try store.transfers().isEmpty)
    }

    @Test("are begun in the transaction of a row, or not at all")
    func together() throws {
        struct Regret: Error {}
        let store = organisation["A"].store
        #expect(throws: Regret.self) {
            try store.write { transaction in
                try transaction.addUpload(of: hash, channel: "org", size: 3, type: "a/b")
                throw Regret()
            }
        }
        #expect(try store.transfers().isEmpty)
        try store.write { try $0.addUpload(of: hash, channel: "org", size: 3, type: "a/b") }
        try store.write { try $0.addUpload(of: hash, channel: "org", size: 3, type: "a/b") }
        #expect(try store.transfers().map(\.size) == [3])
        #expect(try store.status().pendingChanges == 0, "nobody else is told")
    }

    @Test("a store of the format before gets the table when it is opened")
    func upgrade() throws {
        let cell = organisation["A"]
        try cell.insert("item", "x")
        try cell.store.write { try $0.execute("DROP TABLE kenh_transfer") }
        for name in [
            "finality", "final", "archive", "erasure", "erased", "snapshot", "snapshot_chunk", "seen_snapshot",
        ] {
            try cell.store.write { try $0.execute("DROP TABLE kenh_\(name)") }
        }
        try cell.store.write { try $0.execute("DROP INDEX kenh_block_base") }
        try cell.store.write { try $0.execute("ALTER TABLE kenh_block DROP COLUMN base_sequence") }
        try cell.store.write { try $0.execute("PRAGMA user_version=3") }
        try cell.upgrade(to: TestSchema.schema)
        try cell.store.add(transfer())
        #expect(try cell.store.transfers().count == 1 && cell.store.rows("SELECT * FROM item").count == 1)
    }

    @Test("files that no transfer and no row is about are removed, all others stay")
    func sweep() throws {
        let store = organisation["A"].store
        let root = FileManager.default.temporaryDirectory.appending(path: "kenh-blobs-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let files = BlobFolder(path: root.path)
        let blobs = (1...3).map { SampleBlob(10, seed: $0) }
        for blob in blobs {
            try files.write(blob.bytes, toPart: "p", at: 0, isDurable: true)
            #expect(try files.finish("p", as: blob.hash))
        }
        try store.add(Transfer(hash: blobs[0].hash, channel: "org", direction: .up, size: 10, type: "a/b"))
        #expect(try store.sweepAttachments(in: files, except: [blobs[1].hash]) == 1)
        #expect(try Set(files.all()) == [blobs[0].hash, blobs[1].hash])
    }
}
