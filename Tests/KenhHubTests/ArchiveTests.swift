import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Old blocks in files of their own, which whoever asks the log does not notice.
@Suite("An archive") struct ArchiveTests {
    private let fixture: HubFixture
    private let shelf: ArchiveShelf
    private let view: CentreView
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }
    private var hub: Hub { fixture.hub }
    private var logPath: String { fixture.directory.appending(path: "log.db").path }

    init() throws {
        fixture = try HubFixture()
        shelf = ArchiveShelf(fixture.directory.appending(path: "archives"))
        try fixture.use(log: fixture.directory.appending(path: "log.db").path, archives: shelf)
        fixture.hub.offerSnapshots(from: SnapshotShelf(folder: fixture.directory.appending(path: "snapshots")))
        view = try fixture.view()
        for number in 0..<5 {
            try a.insert("row\(number)", "title \(number)")
            try sync()
        }
    }

    private func sync() throws {
        for _ in 1...2 {
            for device in [a, b] { try device.syncWhole() }
            try view.catchUp()
        }
    }

    private func snapshot() throws -> MadeSnapshot {
        try hub.makeSnapshot(of: "org", upTo: hub.head(of: "org").head.sequence, in: fixture.directory.path)
    }

    private func archive(acceptedBefore time: Int64 = .max) throws -> Archive? {
        try hub.archive("org", acceptedBefore: time, on: shelf)
    }

    private func problems() throws -> [String] {
        try LogVerifier(identity: hub.identity).verify(fixture.log).problems
            + hub.checkArchives(on: shelf)
    }

    private func newcomer() throws -> DeviceFixture {
        let device = try fixture.device("B")
        try fixture.enrol(device, code: hub.issueCode(cell: "B"))
        return device
    }

    private func file(_ archive: Archive) -> URL { shelf.folders[0].appending(path: archive.name) }

    @Test("has what a snapshot covers; everybody is sent the same as before")
    func made() throws {
        #expect(try archive() == nil, "no snapshot covers anything")
        let before = try fixture.entries(for: b)
        let made = try snapshot()
        let archive = try #require(try archive())
        #expect(archive.channel == "org" && archive.first == 1 && archive.last == made.manifest.sequence)
        #expect(archive.blocks == 5 && !archive.isRestored)
        #expect(try self.archive() == nil, "once is enough")
        #expect(try hub.archives() == [archive] && problems() == [])
        let after = try fixture.entries(for: b)
        #expect(after.entries.filter { $0.hasBlock } == before.entries.filter { $0.hasBlock })
        let new = try newcomer()
        try new.syncWhole()
        #expect(try new.title("row0") == "title 0" && new.store.verify(deep: true).problems == [])
        #expect(try new.store.settledDigests() == a.store.settledDigests())
        // Whoever has all entries makes snapshots again, the archive's own among them.
        try a.update("row1", "later")
        try sync()
        let next = try snapshot()
        try sync()
        #expect(try a.store.confirm(next.manifest, in: fixture.directory.path) == true)
        #expect(try self.archive()?.first == 8 && hub.archives().count == 2 && problems() == [])
    }

    @Test("takes nothing that is younger than it was asked to")
    func age() throws {
        fixture.clock.advance(milliseconds: 1000)
        try a.insert("young")
        try sync()
        _ = try snapshot()
        let limit = fixture.clock.milliseconds
        #expect(try archive(acceptedBefore: limit)?.blocks == 5)
        #expect(try hub.archivableBytes(of: "org", acceptedBefore: limit) == 0)
        #expect(try hub.archivableBytes(of: "org", acceptedBefore: .max) > 0)
    }

    @Test("makes the log's file smaller, and bodies are in it no more")
    func smaller() throws {
        try a.store.write { transaction in
            for number in 0..<3000 {
                try transaction.insert("note", [("id", .text("many\(number)")), ("title", .text(UUID().uuidString))])
            }
        }
        try sync()
        _ = try snapshot()
        try hub.shrinkLog()
        let before = try Data(contentsOf: URL(filePath: logPath)).count
        let archive = try #require(try archive())
        try hub.shrinkLog()
        let after = try Data(contentsOf: URL(filePath: logPath)).count
        #expect(before - after > archive.size / 2, "\(before) to \(after), archive of \(archive.size)")
        #expect(try problems() == [])
    }

    @Test("that is missing or was altered is named, what needs it is not served, and nothing else is held up")
    func damaged() throws {
        _ = try snapshot()
        let archive = try #require(try archive())
        let bytes = try Data(contentsOf: file(archive))
        for place in stride(from: 20, to: bytes.count, by: max(1, bytes.count / 40)) {
            var altered = bytes
            altered[place] ^= 1
            try altered.write(to: file(archive))
            #expect(try problems().contains { $0.contains(archive.name) }, "byte \(place)")
        }
        try FileManager.default.removeItem(at: file(archive))
        #expect(try hub.checkArchives(on: shelf).count == 1)
        let error = #expect(throws: StoreError.self) { try newcomer().syncWhole() }
        #expect(error?.code == .corrupt && "\(error.map { "\($0)" } ?? "")".contains(archive.name))
        try a.update("row1", "goes on")
        try sync()
        #expect(try b.title("row1") == "goes on")
        try bytes.write(to: file(archive))
        #expect(try problems() == [])
        try newcomer().syncWhole()
    }

    @Test("is put back into the log, and can be moved out again")
    func restored() throws {
        _ = try snapshot()
        let archive = try #require(try archive())
        try hub.restore(archive, from: shelf)
        #expect(try hub.archives().map(\.isRestored) == [true])
        try FileManager.default.removeItem(at: file(archive))
        try newcomer().syncWhole()
        #expect(try LogVerifier(identity: hub.identity).verify(fixture.log).problems == [])
        let size = try hub.size()
        #expect(throws: StoreError.self) { try hub.restore(archive, from: shelf) }
        #expect(try hub.size() == size)
    }

    @Test("does not have what can be erased; an erasure takes it out of the log, and the file stays what it was")
    func erased() throws {
        try a.store.write { try $0.insert("note", [("id", "s"), ("secret", "0912 345 678")]) }
        try sync()
        _ = try snapshot()
        let archive = try #require(try archive())
        let before = try Data(contentsOf: file(archive))
        #expect(before.range(of: Data("0912 345 678".utf8)) == nil)
        #expect(try hub.erase(view.store.erasable(table: "note", id: "s"), reason: "asked").values == 1)
        #expect(try Data(contentsOf: file(archive)) == before && problems() == [])
        #expect(try Data(contentsOf: URL(filePath: logPath)).range(of: Data("0912 345 678".utf8)) == nil)
        let new = try newcomer()
        try new.syncWhole()
        #expect(try new.store.rows("SELECT secret FROM note WHERE id = 's'").map { $0["secret"] } == [.null])
        try hub.restore(archive, from: shelf)
        #expect(try problems() == [])
        #expect(try Data(contentsOf: URL(filePath: logPath)).range(of: Data("0912 345 678".utf8)) == nil)
    }

    @Test("is made again the same, so a log that was put back names it once more and needs no other file")
    func logPutBack() throws {
        _ = try snapshot()
        try fixture.backUpLog()
        let archive = try #require(try archive())
        try sync()
        try fixture.restoreLog(archives: shelf)
        hub.offerSnapshots(from: SnapshotShelf(folder: fixture.directory.appending(path: "snapshots")))
        for device in [a, b, a, b] { try device.syncWhole() }
        #expect(try hub.archives().isEmpty)
        let again = try #require(try self.archive())
        #expect(again == archive && shelf.hashes() == [archive.hash])
        #expect(try problems() == [])
        for device in [a, b] { try device.syncWhole() }
        #expect(try a.store.settledDigests() == b.store.settledDigests())
    }

    @Test("gives its blocks to a log that is made anew from a damaged one, and to an audit file")
    func repaired() throws {
        _ = try snapshot()
        _ = try archive()
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: hub, checkpoints: []).run { bytes += $0 }
        let audited = fixture.directory.appending(path: "archived.audit")
        try Data(bytes).write(to: audited)
        #expect(try AuditVerifier().verify(try FileHandle(forReadingFrom: audited)).problems == [])
        let path = fixture.directory.appending(path: "repaired.db").path
        let repair = try LogRepair(
            damaged: logPath, newPath: path, identity: hub.identity, device: fixture.centreIdentity().key.publicKey,
            epoch: [UInt8](repeating: 9, count: 16), archives: shelf)
        #expect(repair.report.damagedEntries == 0)
        try fixture.use(log: path)
        #expect(try LogVerifier(identity: hub.identity).verify(fixture.log).problems == [])
        try newcomer().syncWhole()
    }
}
