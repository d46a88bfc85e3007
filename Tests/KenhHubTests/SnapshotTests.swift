import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// A channel that begins with its rows instead of its first block.
@Suite("A snapshot") struct SnapshotTests {
    private let fixture: HubFixture
    private let shelf: SnapshotShelf
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws {
        fixture = try HubFixture()
        shelf = SnapshotShelf(folder: fixture.directory.appending(path: "snapshots"))
        fixture.hub.offerSnapshots(from: shelf)
    }

    private func make(_ channel: String = "org", upTo sequence: UInt64? = nil) throws -> MadeSnapshot {
        let head = try fixture.hub.head(of: channel).head.sequence
        return try fixture.hub.makeSnapshot(
            of: channel, upTo: sequence ?? head, in: fixture.directory.path)
    }

    private func settle() throws {
        for _ in 0..<2 { for device in [a, b] { try device.syncWhole() } }
    }

    private func newcomer(_ cell: String = "B") throws -> DeviceFixture {
        let device = try fixture.device(cell)
        try fixture.enrol(device, code: fixture.hub.issueCode(cell: cell))
        return device
    }

    private func lines(_ device: DeviceFixture) throws -> [String] {
        try ["note", "task"].flatMap { table in
            try device.store.rows("SELECT * FROM \(table) ORDER BY id").map { row in
                row.columns.sorted().map { "\($0) \(row[$0])" }.joined(separator: ", ")
            }
        } + device.store.conflicts().map { "\($0)" }.sorted()
    }

    private func expectAgreement(_ device: DeviceFixture, _ comment: Comment? = nil) throws {
        #expect(try device.store.settledDigests() == a.store.settledDigests(), comment)
        #expect(try lines(device) == lines(a), comment)
        #expect(try device.store.verify(deep: true).problems == [], comment)
    }

    /// Rows that are inserted, updated, deleted, inserted again, and in conflict.
    private func history() throws {
        for number in 0..<6 { try a.insert("row\(number)", "t\(number)") }
        try settle()
        try a.update("row0", "by A")
        try b.update("row0", "by B")
        try b.store.write { try $0.delete("note", id: "row1") }
        try settle()
        try a.insert("row1", "again")
        try b.store.write { try $0.delete("note", id: "row2") }
        try a.update("row2", "kept")
        try b.insert("task1", channel: "plan/1")
        try settle()
    }

    private func bodies(_ device: DeviceFixture, _ channel: String = "org") throws -> (heads: Int, whole: Int) {
        let rows = try device.store.rows(
            """
            SELECT length(body) > 0 AS whole FROM kenh_block JOIN kenh_channel ON number = ch WHERE name = ?
            """, [.text(channel)])
        let whole = rows.filter { $0["whole"] == 1 }.count
        return (rows.count - whole, whole)
    }

    @Test("is what a new device begins with, and goes on from like everybody else")
    func join() throws {
        try history()
        let made = try make()
        try a.update("row3", "after the snapshot")
        try settle()
        let device = try newcomer()
        let report = try device.syncWhole(takesSnapshots: true)
        #expect(report.snapshots.map(\.channel) == ["org"] && report.unequalChannels.isEmpty)
        #expect(try bodies(device).heads == Int(made.manifest.blocks) && bodies(device).whole == 1)
        try expectAgreement(device)
        // Rows that are known by their births alone.
        for (number, writer) in [device, a, b, device].enumerated() {
            try writer.update("row\(number)", "later \(number)")
            try writer.syncWhole()
            for other in [a, b, device] { try other.syncWhole() }
        }
        try device.store.write { try $0.delete("note", id: "row5") }
        try device.syncWhole()
        try settle()
        try expectAgreement(device, "after edits on all sides")
    }

    @Test("is joined with what its device had written before it was there")
    func ownWork() throws {
        try history()
        _ = try make()
        let device = try newcomer()
        try device.insert("row0", "here, too")
        try device.insert("mine")
        _ = try device.blocks()
        try device.update("mine", "twice")
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads > 0)
        try settle()
        try expectAgreement(device)
        #expect(try a.title("mine") == "twice")
    }

    @Test("has the same bytes wherever it is made")
    func deterministic() throws {
        try history()
        let made = try make()
        try settle()
        for device in [a, b] {
            #expect(try device.store.snapshotsToConfirm().map(\.hash) == [made.manifest.hash])
            #expect(try device.store.confirm(made.manifest, in: fixture.directory.path) == true)
            try device.syncWhole()
            #expect(try device.store.snapshotsToConfirm().isEmpty)
        }
        #expect(try fixture.hub.snapshots().map(\.cells) == [["A", "B"]])
        let device = try newcomer()
        #expect(try device.syncWhole(takesSnapshots: true).snapshots.map(\.confirmedBy) == [2])
        #expect(try device.store.confirm(made.manifest, in: fixture.directory.path) == nil, "it has no blocks")
        // One that the log does not make.
        var false0 = made.manifest
        false0 = SnapshotManifest(
            organisation: false0.organisation, channel: "org", sequence: false0.sequence, logHash: false0.logHash,
            blocks: false0.blocks, rows: false0.rows + 1, digest: false0.digest, chunks: false0.chunks)
        #expect(try a.store.confirm(false0, in: fixture.directory.path) == false)
        #expect(try a.store.notices().last?.code == "snapshot-differs")
    }

    @Test("covers no more than it was asked to")
    func earlier() throws {
        try history()
        let whole = try make()
        let made = try make(upTo: 3)
        #expect(made.manifest.sequence == 3 && made.manifest.hash != whole.manifest.hash)
        #expect(try make(upTo: whole.manifest.sequence).proof == whole.proof, "the same is named once")
        try FileManager.default.removeItem(at: shelf.folder)
        _ = try make(upTo: 3)
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads == 3)
        try expectAgreement(device)
    }

    @Test("that is damaged on its way is fetched again, and one that is not what the log names is not taken")
    func spoiled() throws {
        try history()
        _ = try make()
        let device = try newcomer()
        #expect(throws: ProtocolError.self) {
            try device.syncWhole(takesSnapshots: true) {
                var bytes = $0; bytes[bytes.count / 2] ^= 1; return bytes
            }
        }
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads > 0)
        try expectAgreement(device)
    }

    @Test("whose chunks have gone meanwhile, or of a centre without any, is done without")
    func gone() throws {
        try history()
        _ = try make()
        let files = try FileManager.default.subpathsOfDirectory(atPath: shelf.folder.path)
        for file in files where file.hasSuffix(".chunk") {
            try FileManager.default.removeItem(at: shelf.folder.appending(path: file))
        }
        let device = try newcomer()
        #expect(try device.syncWhole(takesSnapshots: true).snapshots.isEmpty)
        #expect(try bodies(device).heads == 0)
        try expectAgreement(device)
    }

    @Test("is given up where the log says something new of a block that it covers")
    func lateRuling() throws {
        try history()
        fixture.clock.advance(milliseconds: 1000)
        _ = try make()
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads > 0)
        try device.insert("unsent")
        // As after a restore: the log learns that a block was taken earlier, and with another ruling.
        let block = try fixture.log.read { try $0.entries(channel: "org", after: 0, limitBytes: 1 << 20) }[1]
        try fixture.log.write { transaction in
            let ruling = try Ruling(struck: ChangeSet([0]), code: "notGranted", message: "no").encoded
            let entry = NewEntry(
                kind: .ruling, channel: "org", object: block.objectHash,
                acceptedAtMilliseconds: block.acceptedAtMilliseconds - 1, ruling: ruling)
            _ = try transaction.append(entry) { try EntryProof.sign($1, epoch: $0, with: fixture.serving) }
        }
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads == 0)
        try settle()
        try device.syncWhole()
        try settle()
        try device.syncWhole()
        try expectAgreement(device)
        #expect(try a.title("unsent") == "t")
    }

    @Test("that is not what its manifest says is given up, and people are told")
    func lie() throws {
        try history()
        let made = try make().manifest
        let lie = SnapshotManifest(
            organisation: made.organisation, channel: made.channel, sequence: made.sequence, logHash: made.logHash,
            blocks: made.blocks, rows: made.rows, digest: made.digest + made.digest, chunks: made.chunks)
        let folder = try #require(
            FileManager.default.contentsOfDirectory(at: shelf.folder, includingPropertiesForKeys: nil).first)
        try FileManager.default.removeItem(at: folder.appending(path: "\(made.hash.bytes.hex).manifest"))
        try Data(lie.encoded).write(to: folder.appending(path: "\(lie.hash.bytes.hex).manifest"))
        try fixture.log.write { transaction in
            let entry = NewEntry(
                kind: .snapshot, channel: "org", object: lie.hash, acceptedAtMilliseconds: fixture.clock.milliseconds)
            _ = try transaction.append(entry) { try EntryProof.sign($1, epoch: $0, with: fixture.serving) }
        }
        try settle()
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads == 0)
        #expect(try device.store.notices().map(\.code) == ["snapshot"])
        try expectAgreement(device)
        #expect(try a.store.confirm(lie, in: fixture.directory.path) == false)
    }

    @Test("leaves out what waits, and its blocks travel whole")
    func waiting() throws {
        try history()
        var limits = WorkLimits()
        limits.changesPerBlock = 2
        let writer = try newcomer("A")
        let store = try Store(
            path: fixture.directory.appending(path: "small.db").path, schema: HubFixture.schema, mustExist: false,
            limits: limits, clock: { [clock = fixture.clock] in clock.milliseconds },
            random: { SystemRandomNumberGenerator() })
        let small = writer.with(store)
        try small.syncWhole()
        try store.write { transaction in
            for number in 1...5 {
                try transaction.insert(
                    "note", [("id", .text("group\(number)")), ("title", "together"), ("secret", "s")])
            }
        }
        let group = try small.blocks()
        #expect(group.count == 3)
        try small.send(Array(group.prefix(2)))
        let made = try make()
        #expect(made.manifest.waiting.count == 2)
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).whole == 2)
        #expect(try device.title("group1") == nil)
        try small.syncWhole()
        for _ in 0..<2 { for one in [a, b, device] { try one.syncWhole() } }
        #expect(try device.title("group1") == "together" && device.title("group5") == "together")
        try expectAgreement(device)
    }

    @Test("of before an erasure is kept by nobody; one that is made afterwards has the value no more")
    func erased() throws {
        let secret = "0912-345-678 Nguyễn"
        let view = try fixture.view()
        try history()
        try a.store.write { try $0.insert("note", [("id", "x"), ("title", "kept"), ("secret", .text(secret))]) }
        try settle()
        try view.catchUp()
        let before = try make()
        let early = try newcomer()
        try early.syncWhole(takesSnapshots: true)
        #expect(try early.store.rows("SELECT secret FROM note WHERE id = 'x'").first?["secret"] == .text(secret))
        try settle()
        _ = try fixture.hub.erase(view.store.erasable(table: "note", id: "x"), reason: "asked on 3 May")
        #expect(try fixture.hub.snapshots().isEmpty)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: shelf.folder.path).count == 1, "its folder alone")
        try settle()
        #expect(try a.store.snapshotsToConfirm().isEmpty, "it cannot be made again")
        let after = try make(upTo: before.manifest.sequence)
        #expect(after.manifest.hash != before.manifest.hash)
        try settle()
        #expect(try b.store.confirm(after.manifest, in: fixture.directory.path) == true)
        let late = try newcomer()
        try late.syncWhole(takesSnapshots: true)
        #expect(try bodies(late).heads > 0)
        try early.syncWhole(takesSnapshots: true)
        try settle()
        for device in [early, late] {
            try device.syncWhole()
            try expectAgreement(device)
            #expect(try device.store.rows("SELECT secret FROM note WHERE id = 'x'").first?["secret"] == .null)
            #expect(try !device.store.isUnclean())
            let file = try Data(contentsOf: URL(filePath: device.store.path))
            #expect(file.range(of: Data(secret.utf8)) == nil)
        }
        #expect(try bodies(early).heads == 0, "its snapshot had the value")
    }

    @Test("that was fetched before an erasure and not begun with yet is not begun with")
    func erasedMeanwhile() throws {
        let view = try fixture.view()
        try history()
        try view.catchUp()
        let made = try make()
        let device = try newcomer()
        try device.syncWhole()
        let other = try newcomer()
        let response = try fixture.hub.snapshot(of: "org", for: other.registered)
        let proof = try EntryProof(response.proof)
        let missing = try other.store.begin(made.manifest, proof)
        for number in try #require(missing) {
            let chunk = made.manifest.chunks[number].hash
            try other.store.keep(
                chunk: number, of: made.manifest,
                try fixture.hub.snapshotChunk(chunk, in: "org", for: other.registered))
        }
        _ = try fixture.hub.erase(view.store.erasable(table: "note", id: "row3"), reason: "asked on 3 May")
        try settle()
        try other.syncWhole(takesSnapshots: true)
        try settle()
        try other.syncWhole()
        try expectAgreement(other)
        #expect(try other.store.rows("SELECT secret FROM note WHERE id = 'row3'").first?["secret"] == .null)
    }

    @Test("of a channel that the cell may not read is shown to nobody of it")
    func rights() throws {
        try history()
        let made = try make()
        try fixture.hub.grant("none", to: "B", in: "org")
        let device = try newcomer()
        #expect(throws: ProtocolError(.notFound, "")) { try fixture.hub.snapshot(of: "org", for: device.registered) }
        #expect(throws: ProtocolError(.notFound, "")) {
            try fixture.hub.snapshotChunk(made.manifest.chunks[0].hash, in: "org", for: device.registered)
        }
        #expect(throws: ProtocolError(.notFound, "")) {
            try fixture.hub.snapshotChunk(made.manifest.chunks[0].hash, in: "plan/1", for: device.registered)
        }
        try device.syncWhole(takesSnapshots: true)
        #expect(try lines(device).count == 1, "the task alone")
        try fixture.hub.revoke(a.identity.key.publicKey, reason: "stolen")
        #expect(throws: ProtocolError(.revoked, "")) { try fixture.hub.snapshot(of: "org", for: a.registered) }
    }

    @Test("of struck changes keeps what they named")
    func struck() throws {
        try fixture.hub.define(role: "some", rights: ["note": [.insert, .delete]])
        try history()
        try fixture.hub.grant("some", to: "A", in: "org")
        try a.update("row4", "struck")
        #expect(try a.send(a.blocks()).map(\.code) == ["tableNotGranted"])
        // Its writer has not heard of the ruling, and writes over what nobody else merges.
        try a.update("row4", "over it")
        _ = try a.blocks()
        try fixture.hub.grant("writer", to: "A", in: "org")
        _ = try make()
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads > 0)
        try settle()
        try device.syncWhole()
        #expect(try device.title("row4") == "over it" && device.store.conflicts().count == a.store.conflicts().count)
        try expectAgreement(device)
    }

    @Test("and a channel that is left and joined again begin anew")
    func leave() throws {
        try history()
        _ = try make()
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        try fixture.hub.grant("none", to: "B", in: "org")
        #expect(try device.syncWhole(takesSnapshots: true).leftChannels == ["org"])
        #expect(try lines(device).count == 1)
        try fixture.hub.grant("writer", to: "B", in: "org")
        try device.syncWhole(takesSnapshots: true)
        #expect(try bodies(device).heads > 0)
        try settle()
        try expectAgreement(device)
    }

    @Test("of a log that was restored from before it is not handed back, and comes from those who have its blocks")
    func restoredCentre() throws {
        for number in 0..<3 { try a.insert("row\(number)") }
        try settle()
        try fixture.backUpLog()
        try history2()
        _ = try make()
        let device = try newcomer()
        try device.syncWhole(takesSnapshots: true)
        try device.insert("after")
        try device.syncWhole(takesSnapshots: true)
        try fixture.restoreLog()
        fixture.hub.offerSnapshots(from: shelf)
        #expect(try fixture.hub.snapshots().isEmpty, "it is of a life that is over")
        for _ in 0..<2 { for one in [device, a, b] { try one.syncWhole(takesSnapshots: true) } }
        try settle()
        try device.syncWhole(takesSnapshots: true)
        try settle()
        #expect(try a.title("after") == "t")
        try expectAgreement(device)
    }

    private func history2() throws {
        try a.update("row0", "by A")
        try b.update("row0", "by B")
        try settle()
        try b.insert("more")
        try settle()
    }

    @Test("of random histories brings a new device to what everybody has", arguments: 1...40 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let (device, id) = (
                [a, b][Int.random(in: 0..<2, using: &random)], "r\(Int.random(in: 0..<8, using: &random))"
            )
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3: try? device.insert(id, "\(Int.random(in: 0..<1000, using: &random))")
            case 3..<6: try device.update(id, "\(Int.random(in: 0..<1000, using: &random))")
            case 6: try device.store.write { try $0.delete("note", id: .text(id)) }
            case 7: try? device.insert(id, channel: "plan/1")
            default: try device.syncWhole()
            }
        }
        try settle()
        try settle()
        let head = try fixture.hub.head(of: "org").head.sequence
        guard head > 1 else { return }
        let made = try make(upTo: UInt64.random(in: 1...head, using: &random))
        try settle()
        if made.manifest.sequence == head {
            #expect(try a.store.confirm(made.manifest, in: fixture.directory.path) == true)
        }
        #expect(try b.store.confirm(made.manifest, in: fixture.directory.path) != false)
        let device = try newcomer()
        let report = try device.syncWhole(takesSnapshots: true)
        #expect(report.snapshots.count == 1 && report.unequalChannels.isEmpty)
        #expect(try bodies(device).heads == Int(made.manifest.blocks))
        try expectAgreement(device)
    }
}
