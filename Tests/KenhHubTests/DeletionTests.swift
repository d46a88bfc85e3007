import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// From a deleted row to the word that it is gone for good, and whoever was away meanwhile.
@Suite("A deletion") struct DeletionTests {
    private static let year: Int64 = 366 * 86_400_000
    private let fixture: HubFixture
    private let view: CentreView
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }
    private var hub: Hub { fixture.hub }

    init() throws {
        fixture = try HubFixture()
        view = try fixture.view()
        for id in ["x", "y"] { try a.insert(id, "first \(id)") }
        try sync()
        try b.update("x", "second")
        try sync()
    }

    private func sync(_ devices: [DeviceFixture]? = nil, twice: Bool = true) throws {
        for _ in 1...(twice ? 2 : 1) {
            for device in devices ?? [a, b] { try device.syncWhole() }
            try view.catchUp()
        }
    }

    private func delete(_ id: String = "x", by device: DeviceFixture) throws {
        try device.store.write { try $0.delete("note", id: .text(id)) }
    }

    @discardableResult
    private func settle(patience: Int64 = year) throws -> DeletionReport {
        try view.settleDeletions(patience: patience)
    }

    private func waiting() throws -> [[String]] { try hub.deletions().map { $0.waiting.map(\.cell).sorted() } }

    private func states(_ store: Store, _ id: String = "x") throws -> Int {
        try store.rows("SELECT 1 AS one FROM kenh_row WHERE id = ?", [.text(id)]).count
    }

    /// Deleted, known to everybody, and final.
    private func finish(_ devices: [DeviceFixture]? = nil) throws {
        try sync(devices)
        try settle()
        try sync(devices)
        #expect(try settle().writes > 0)
        try sync(devices)
    }

    private func expectAgreement(_ stores: [Store], _ comment: Comment? = nil) throws {
        let digests = try view.store.settledDigests()
        for store in stores {
            #expect(try store.settledDigests() == digests, comment)
            #expect(try store.verify(deep: true).problems == [], comment)
        }
        #expect(try LogVerifier(identity: hub.identity).verify(fixture.log).problems == [], comment)
    }

    @Test("is final once every device has said that it knows of it, and not before")
    func everybody() throws {
        try delete(by: a)
        try sync()
        #expect(try settle() == DeletionReport() && waiting() == [["A", "B"]])
        #expect(try settle().writes == 0)
        try a.syncWhole()
        #expect(try waiting() == [["B"]] && settle().writes == 0)
        #expect(try states(a.store) == 1 && states(view.store) == 1)
        try b.syncWhole()
        #expect(try waiting() == [[]])
        let report = try settle()
        #expect(report.writes == 2 && report.channels == ["org"], "the insert's and the update's")
        try sync()
        for store in [a.store, b.store, view.store] {
            #expect(try states(store) == 0 && states(store, "y") == 1)
        }
        try expectAgreement([a.store, b.store, view.store])
        #expect(try hub.finalDeletions().map(\.writes) == [2] && waiting() == [])
        #expect(try settle().writes == 0 && hub.finalDeletions().count == 1)
        #expect(try a.syncWhole().rounds == 1 && a.syncWhole().unequalChannels == [])
    }

    @Test("is not acknowledged by a device that has something left to send")
    func unsent() throws {
        try delete(by: a)
        try sync()
        try settle()
        let outbox = try b.store.outbox(as: b.identity, limitBytes: 1)
        var request = b.request(cursors: outbox.cursors)
        _ = try hub.sync(request, from: b.registered)
        #expect(try waiting() == [["A", "B"]])
        request.allSent = true
        var unread = try b.chain(1)[0].wire
        unread.header = Data()
        request.blocks = [unread]
        _ = try hub.sync(request, from: b.registered)
        #expect(try waiting() == [["A", "B"]], "what it sent was not taken")
        request.blocks = []
        _ = try hub.sync(request, from: b.registered)
        #expect(try waiting() == [["A"]])
        // A device that was put back knows less.
        request.cursors = []
        request.allSent = false
        _ = try hub.sync(request, from: b.registered)
        #expect(try waiting() == [["A", "B"]])
    }

    @Test("of a row that was entered anew meanwhile is not made final, and later ones are")
    func enteredAnew() throws {
        try delete(by: a)
        try delete("y", by: a)
        try sync()
        try settle()
        try sync()
        try b.insert("x", "anew")
        try sync()
        #expect(try settle().writes == 1, "of y alone")
        try sync()
        for device in [a, b] { #expect(try device.title("x") == "anew" && states(device.store, "y") == 0) }
        try a.insert("y", "once more")
        try sync()
        #expect(try b.title("y") == "once more")
        try expectAgreement([a.store, b.store, view.store])
    }

    @Test("of a row that was deleted once more since is left for the next place")
    func deletedAgain() throws {
        try delete(by: a)
        try sync()
        try settle()
        try sync()
        try b.insert("x", "anew")
        try sync()
        try delete(by: a)
        try view.catchUp()
        try a.syncWhole()
        #expect(try waiting() == [[]] && settle().writes == 0, "not everybody knows of the second deletion")
        try sync()
        #expect(try settle().writes == 1)
    }

    @Test("a cell that comes back after 13 months converges, and its edit of the row is kept for whoever made it")
    func away() throws {
        let c = try fixture.device("B")
        try fixture.enrol(c, code: hub.issueCode(cell: "B"))
        try sync([a, b, c])
        try c.update("x", "edited far away")
        try c.insert("z", "new far away")
        try delete(by: a)
        try sync()
        try settle()
        try sync()
        #expect(try settle().writes == 0 && waiting() == [["B"]])
        fixture.clock.advance(milliseconds: 396 * 86_400_000)
        #expect(try settle().writes == 2, "nobody is waited for longer than a year")
        try sync()
        #expect(try c.title("x") == "edited far away")
        let report = try c.syncWhole()
        #expect(report.rejectedChanges == 1 && report.unequalChannels == [])
        #expect(try c.title("x") == nil)
        let rejected = try c.store.rejected()
        #expect(rejected.map(\.code) == ["rowDeleted"] && rejected.map(\.kind) == [.update])
        #expect(rejected[0].values == ["title": "edited far away"], "erasable values are not copied")
        #expect(rejected[0].id == "x" && rejected[0].table == "note")
        try sync([a, b, c])
        for device in [a, b] { #expect(try device.title("x") == nil && device.title("z") == "new far away") }
        try expectAgreement([a.store, b.store, c.store, view.store])
        // Entered anew, it is there for everybody.
        try c.insert("x", "entered anew")
        try sync([a, b, c])
        for device in [a, b, c] { #expect(try device.title("x") == "entered anew") }
        try expectAgreement([a.store, b.store, c.store, view.store])
    }

    @Test("an edit is kept, too, of a row that others entered anew and deleted once more meanwhile")
    func enteredAnewMeanwhile() throws {
        let c = try fixture.device("B")
        try fixture.enrol(c, code: hub.issueCode(cell: "B"))
        try sync([a, b, c])
        try c.update("x", "far away")
        try delete(by: a)
        try sync()
        try b.insert("x", "anew")
        try sync()
        try delete(by: a)
        try sync()
        try settle()
        try sync()
        #expect(try settle(patience: 0).writes == 1)
        try c.syncWhole()
        #expect(try c.store.rejected().map(\.values) == [["title": "far away"]] && c.title("x") == nil)
        try sync([a, b, c])
        try expectAgreement([a.store, b.store, c.store, view.store])
    }

    @Test("what else the row showed is kept with the edit of somebody who was away")
    func wholeRow() throws {
        let c = try fixture.device("B")
        try fixture.enrol(c, code: hub.issueCode(cell: "B"))
        try a.store.write {
            try $0.insert("task", [("id", "t"), ("channel", "plan"), ("title", "old title"), ("points", 5)])
        }
        try sync([a, b, c])
        try c.store.write { try $0.update("task", id: "t", [("points", 8)]) }
        try a.store.write { try $0.delete("task", id: "t") }
        try sync()
        try settle()
        try sync()
        try settle(patience: 0)
        try c.syncWhole()
        #expect(try c.store.rejected().map(\.values) == [["points": 8, "title": "old title"]])
        try sync([a, b, c])
        try expectAgreement([a.store, b.store, c.store, view.store])
    }

    @Test("is not lost with a log that is put back: devices hand it back, and one that was put back follows it again")
    func restored() throws {
        let copy = try b.copyOfStore()
        try delete(by: a)
        try sync()
        try settle()
        try sync()
        try fixture.backUpLog()
        #expect(try settle().writes == 2)
        try sync()
        try fixture.restoreLog()
        #expect(try hub.finalDeletions().isEmpty)
        try a.syncWhole()
        #expect(try hub.finalDeletions().map(\.writes) == [2], "A gave it back")
        let again = try CentreView(store: view.store, hub: hub, identity: fixture.centreIdentity())
        try again.catchUp()
        b.putBack(copy)
        for device in [a, b, a, b] { try device.syncWhole() }
        #expect(try states(b.store) == 0)
        try expectAgreement([a.store, b.store, view.store])
    }

    @Test("drops what a device began with by a snapshot from before, and a snapshot from after has nothing of it")
    func snapshots() throws {
        hub.offerSnapshots(from: SnapshotShelf(folder: fixture.directory.appending(path: "snapshots")))
        func make() throws -> MadeSnapshot {
            try hub.makeSnapshot(
                of: "org", upTo: hub.head(of: "org").head.sequence, in: fixture.directory.path)
        }
        let before = try make()
        let early = try fixture.device("B")
        try fixture.enrol(early, code: hub.issueCode(cell: "B"))
        try early.syncWhole(takesSnapshots: true)
        #expect(try early.store.rows("SELECT 1 AS one FROM kenh_block WHERE length(body) > 0").isEmpty)
        try delete(by: a)
        try finish([a, b, early])
        #expect(try states(early.store) == 0)
        try expectAgreement([a.store, early.store])
        // The base is from before, and the word on it comes with the same sync.
        let late = try fixture.device("B")
        try fixture.enrol(late, code: hub.issueCode(cell: "B"))
        #expect(try late.syncWhole(takesSnapshots: true).snapshots.count == 1)
        #expect(try states(late.store) == 0)
        try expectAgreement([a.store, late.store])
        let after = try make()
        #expect(after.manifest.rows == before.manifest.rows - 1)
        try sync()
        #expect(try a.store.confirm(after.manifest, in: fixture.directory.path) == true)
        let last = try fixture.device("B")
        try fixture.enrol(last, code: hub.issueCode(cell: "B"))
        try last.syncWhole(takesSnapshots: true)
        try sync([a, last])
        try expectAgreement([a.store, last.store])
        // Its id is still known to be x's where a block names the row by its birth.
        try last.insert("x", "anew")
        try sync([last, a])
        try a.update("x", "anew, by A")
        try sync([a, b, early, late, last])
        for device in [b, early, late, last] { #expect(try device.title("x") == "anew, by A") }
    }

    @Test("a store and a log that are made anew know of it, and so does an audit file")
    func repairs() throws {
        try delete(by: a)
        try finish()
        try a.store.setFact("root_key", .blob(fixture.root.publicKey.bytes))
        try a.store.setFact("serving_key", .blob(fixture.serving.publicKey.bytes))
        try a.store.setFact("serving_certificate", .blob(WireCoding.encode(hub.identity.certificate)))
        let clock = fixture.clock
        let repair = try StoreRepair(
            damaged: a.store.path, newPath: a.store.path + ".repaired", schema: HubFixture.schema,
            key: a.identity.key, clock: { clock.milliseconds })
        #expect(try states(repair.store) == 0 && repair.store.verify(deep: true).problems == [])
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: hub, checkpoints: []).run { bytes += $0 }
        let file = fixture.directory.appending(path: "deleted.audit")
        try Data(bytes).write(to: file)
        let audit = try AuditVerifier().verify(try FileHandle(forReadingFrom: file))
        #expect(audit.problems == [] && audit.text.contains("deleted      2 writes of 2 blocks in org on "))
        let path = fixture.directory.appending(path: "repaired.db").path
        _ = try LogRepair(
            damaged: fixture.directory.appending(path: "log.db").path, newPath: path, identity: hub.identity,
            device: try fixture.centreIdentity().key.publicKey, epoch: [UInt8](repeating: 9, count: 16))
        try fixture.use(log: path)
        #expect(try hub.finalDeletions().count == 1)
        #expect(try LogVerifier(identity: hub.identity).verify(fixture.log).problems == [])
    }

    @Test("verification names a state that has what is deleted for good, and a list that is not what was signed")
    func verification() throws {
        try delete(by: a)
        try sync()
        let row = try #require(try a.store.rows("SELECT * FROM kenh_row WHERE id = 'x'").first)
        try settle()
        try sync()
        try settle()
        try sync()
        #expect(try a.store.verify().problems == [])
        try a.store.write {
            try $0.execute(
                "INSERT INTO kenh_row(tbl, id, ch, state) VALUES(?, ?, ?, ?)",
                [row["tbl"], row["id"], row["ch"], row["state"]])
        }
        #expect(try a.store.verify().problems.contains { $0.contains("a row of note has a write that is deleted") })
        try b.store.write { try $0.execute("UPDATE kenh_final SET changes = x'0002'") }
        #expect(try b.store.verify().problems.contains { $0.contains("is not what the centre signed") })
    }

    @Test("an entry that was changed on the way is refused, and one without the centre's signature is not taken back")
    func forged() throws {
        try delete(by: a)
        try finish()
        let response = try fixture.entries(for: b)
        func code(_ change: (inout WireLogEntry) -> Void) throws -> ProtocolError.Code? {
            var entries = response.entries
            let at = try #require(entries.firstIndex { $0.kind == .finality })
            change(&entries[at])
            do {
                var follower = LogFollower(
                    serving: ServingKeys(fixture.serving.publicKey), organisation: fixture.organisation, cursors: [],
                    knownKey: { _ in nil })
                #expect(try follower.follow(entries, epoch: Array(response.epoch)).finalities.count == 1)
                return nil
            } catch { return (error as? ProtocolError)?.code }
        }
        #expect(try code { _ in } == nil)
        #expect(try code { $0.finality = Data() } == .malformed)
        #expect(try code { $0.finality[$0.finality.count - 1] ^= 1 } != nil)
        #expect(try code { $0.kind = .verdict } == .malformed)
        let hash = try #require(try a.hashes().first)
        let bytes = try Finality([.init(hash: hash, changes: ChangeSet([0]))]).encoded
        var item = WireHandedBack()
        item.finality = Data(bytes)
        item.proof.kind = .finality
        (item.proof.channel, item.proof.sequence) = ("org", 3)
        item.proof.epoch = Data(repeating: 7, count: 16)
        item.proof.objectHash = Data(Finality.hash(of: bytes).bytes)
        item.proof.previous = Data(repeating: 0, count: 32)
        item.proof.signature = Data(repeating: 1, count: 64)
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(a.identity.replica.bytes)
        request.handedBack = [item]
        _ = try hub.reconcile(request, from: a.identity.key.publicKey)
        #expect(try hub.finalDeletions().count == 1)
    }
}
