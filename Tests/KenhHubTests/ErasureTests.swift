import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// From the administrator's word to the last device's file, through restores of both sides.
@Suite("An erasure") struct ErasureTests {
    private static let secret = "0912-345-678 Nguyễn"
    private let fixture: HubFixture
    private let view: CentreView
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }
    private var hub: Hub { fixture.hub }

    init() throws {
        fixture = try HubFixture()
        view = try fixture.view()
        try write("x", Self.secret, by: a)
        try write("y", "stays", by: a)
        try settle()
    }

    private func write(_ id: String, _ secret: String, by device: DeviceFixture) throws {
        try device.store.write {
            try $0.insert("note", [("id", .text(id)), ("title", "kept"), ("secret", .text(secret))])
        }
    }

    private func settle() throws {
        for _ in 1...2 {
            for device in fixture.devices { try device.syncWhole() }
            try view.catchUp()
        }
    }

    private func secret(_ store: Store, _ id: String = "x") throws -> Value? {
        try store.rows("SELECT secret FROM note WHERE id = ?", [.text(id)]).first?["secret"]
    }

    @discardableResult
    private func erase(_ id: String = "x", reason: String = "asked on 3 May") throws -> ErasureReport {
        try hub.erase(view.store.erasable(table: "note", id: id), reason: reason)
    }

    private func waiting() throws -> [[String]] {
        try hub.erasures().map { $0.waiting.map { $0.cell.isEmpty ? "centre" : $0.cell }.sorted() }
    }

    private func files(with text: String, _ prefix: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path).filter { name in
            guard name.hasPrefix(prefix) else { return false }
            return try Data(contentsOf: fixture.directory.appending(path: name)).range(of: Data(text.utf8)) != nil
        }.sorted()
    }

    private func logProblems() throws -> [String] {
        try LogVerifier(identity: hub.identity).verify(fixture.log).problems
    }

    private func audit() throws -> AuditReport {
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: hub, checkpoints: []).run { bytes += $0 }
        let path = fixture.directory.appending(path: "erased.audit")
        try Data(bytes).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try AuditVerifier().verify(try FileHandle(forReadingFrom: path))
    }

    @Test("reaches every device, which confirms it once its files are clean; the log stays what it was")
    func everywhere() throws {
        let before = try fixture.entries(for: b)
        let digests = try a.store.settledDigests()
        let report = try erase()
        #expect(report.values == 1 && report.blocks == 1 && report.channels == ["org"] && report.isClean)
        #expect(try files(with: Self.secret, "log.db") == [])
        #expect(try waiting() == [["A", "B", "centre"]])
        try view.catchUp()
        #expect(try waiting() == [["A", "B"]])
        #expect(try a.syncWhole().erasures == 1)
        #expect(try waiting() == [["B"]] && secret(b.store) == .text(Self.secret))
        try b.syncWhole()
        #expect(try waiting() == [[]] && files(with: Self.secret) == [])
        for store in [a.store, b.store, view.store] {
            #expect(try secret(store) == .null && secret(store, "y") == "stays")
            #expect(try store.verify(deep: true).problems == [] && store.verify().erasedValues == 1)
        }
        #expect(try a.store.settledDigests() == digests && b.store.settledDigests() == digests)
        #expect(try logProblems() == [])
        let after = try fixture.entries(for: b)
        #expect(after.entries.map(\.objectHash).starts(with: before.entries.map(\.objectHash)))
        #expect(after.entries.map(\.signature).starts(with: before.entries.map(\.signature)))
        #expect(try b.syncWhole().rounds == 1 && b.syncWhole().unequalChannels == [])
    }

    @Test("says in the list what it was, and who reads the channel alone is waited for")
    func summary() throws {
        try hub.grant("none", to: "B", in: "org")
        try settle()
        try erase()
        let summary = try #require(try hub.erasures().first)
        #expect(summary.reason == "asked on 3 May" && summary.columns == ["secret"] && summary.values == 1)
        #expect(summary.acceptedAtMilliseconds == fixture.clock.milliseconds)
        #expect(summary.waiting.map(\.cell).sorted() == ["", "A"])
        try hub.revoke(a.identity.key.publicKey, reason: "stolen")
        #expect(try waiting() == [["centre"]])
    }

    @Test("a device whose files are not clean yet confirms nothing")
    func pending() throws {
        try erase()
        try a.sync()
        #expect(try waiting()[0].contains("A"), "the cursors of before")
        let outbox = try a.store.outbox(as: a.identity, limitBytes: 1)
        var request = a.request(cursors: outbox.cursors)
        request.erasuresPending = true
        _ = try hub.sync(request, from: a.registered)
        #expect(try waiting()[0].contains("A"))
        request.erasuresPending = false
        _ = try hub.sync(request, from: a.registered)
        #expect(try !waiting()[0].contains("A"))
    }

    @Test("a reason that holds what is erased, or is no line, is refused, and nothing is erased")
    func reasons() throws {
        try write("z", "An", by: a)
        try settle()
        for (id, reason) in [
            ("x", ""), ("x", "two\nlines"), ("x", String(repeating: "r", count: 201)),
            ("x", "number 0912-345-678 nguyễn was wrong"), ("z", "left: an, by letter"),
        ] {
            #expect(throws: HubError(.badReason, "")) { try erase(id, reason: reason) }
        }
        #expect(try erase("z", reason: "wants no trace").values == 1, "part of another word is none of it")
        #expect(try hub.erasures().count == 1)
    }

    @Test("what a device that has not heard of it hands in again is stripped on arrival")
    func handedInAgain() throws {
        try fixture.backUpLog()
        try write("late", Self.secret + " late", by: a)
        let blocks = try a.blocks()
        try settle()
        let device = try b.clone()
        try erase("late")
        try b.syncWhole()
        fixture.clock.advance(milliseconds: 60_000)
        try fixture.restoreLog()
        try b.syncWhole()
        #expect(try hub.erasures().map(\.reason) == ["asked on 3 May"], "B gave it back")
        #expect(try fixture.acceptance(of: blocks[0]) != nil && logProblems() == [])
        #expect(try files(with: Self.secret + " late", "old-") == [])
        try device.syncWhole()
        #expect(try secret(device.store, "late") == .null)
        try a.syncWhole()
        try view.catchUp()
        #expect(try secret(view.store, "late") == .null && secret(a.store, "late") == .null)
        #expect(try audit().problems == [] && audit().erasedValues == 1)
    }

    @Test("a centre whose tables know it erases again before it gives the value to anybody")
    func restoredLogAlone() throws {
        try fixture.backUpLog()
        try erase()
        try settle()
        try fixture.restoreLog()
        let again = try CentreView(store: view.store, hub: hub, identity: fixture.centreIdentity())
        try again.catchUp()
        #expect(try hub.erasures().count == 1 && files(with: Self.secret, "old-") == [])
        let new = try fixture.device("B")
        try fixture.enrol(new, code: hub.issueCode(cell: "B"))
        try new.syncWhole()
        #expect(try secret(new.store) == .null && new.store.verify().problems == [])
        #expect(try logProblems() == [])
    }

    @Test("a cell that was put back from a copy erases again, and is waited for until it has")
    func restoredCell() throws {
        let copy = try b.copyOfStore()
        try erase()
        try settle()
        #expect(try waiting() == [[]])
        b.putBack(copy)
        #expect(try secret(b.store) == .text(Self.secret))
        _ = try hub.sync(
            b.request(cursors: b.store.outbox(as: b.identity, limitBytes: 1).cursors), from: b.registered)
        #expect(try waiting() == [["B"]], "what it says now counts")
        try b.syncWhole()
        #expect(try waiting() == [[]] && secret(b.store) == .null)
        #expect(try Data(contentsOf: URL(filePath: b.store.path)).range(of: Data(Self.secret.utf8)) == nil)
    }

    @Test("a device that joins later gets the block without the value, also where pages end between it and the erasure")
    func newDevice() throws {
        try erase()
        let new = try fixture.device("B")
        try fixture.enrol(new, code: hub.issueCode(cell: "B"))
        try new.sync(downLimitBytes: 1)
        #expect(try secret(new.store) == .null && new.store.verify(deep: true).problems == [])
    }

    @Test("a block that comes without a value which no erasure names is held back, unless it was taken before")
    func stripped() throws {
        try write("new", "n", by: a)
        var wire = try a.blocks()[0].wire
        wire.detached = Data([1, 0])
        let receipt = try hub.sync(
            {
                var request = a.request()
                request.blocks = [wire]
                return request
            }(), from: a.registered
        ).receipts[0]
        #expect(receipt.verdict == .heldBack && receipt.code == "missing", "\(receipt)")
        #expect(receipt.message.contains("never erased"))
        try a.syncWhole()
        #expect(try fixture.acceptance(of: a.store.block(a.hashes().last ?? .zero) ?? Block(wire)) != nil)
    }

    // MARK: checks

    private func payload() throws -> (hash: Hash256, bytes: [UInt8]) {
        let hash = try #require(try view.store.erasable(table: "note", id: "x").first?.name.block)
        return (hash, try #require(try fixture.log.read { try $0.payload(of: hash) }))
    }

    @Test("a log that lacks a value which no erasure names, or holds one that was erased, is found out")
    func accounts() throws {
        let (hash, bytes) = try payload()
        let block = try Block(WireCoding.decode(WireBlock.self, from: bytes))
        let erased = try block.erasing(BlockCodec().open(block)) { $0.place == 0 }
        let stripped = try WireCoding.encode(try #require(erased).wire)
        try fixture.log.write { try $0.replace(payload: stripped, of: hash) }
        for problems in [try logProblems(), try audit().problems] {
            #expect(problems.count == 1 && problems[0].contains("which no erasure names"), "\(problems)")
        }
        try fixture.log.write { try $0.replace(payload: bytes, of: hash) }
        try erase()
        let good = try audit()
        #expect(good.problems == [] && good.erasedValues == 1)
        #expect(
            good.text.contains("erased       1 values of 1 blocks in org on ") && good.text.contains("asked on 3 May"))
        try fixture.log.write { try $0.replace(payload: bytes, of: hash) }
        for problems in [try logProblems(), try audit().problems] {
            #expect(problems.count == 1 && problems[0].contains("which was erased"), "\(problems)")
        }
    }

    @Test("a store and a log that are made anew know what was erased")
    func repairs() throws {
        try erase()
        try settle()
        try a.store.setFact("root_key", .blob(fixture.root.publicKey.bytes))
        try a.store.setFact("serving_key", .blob(fixture.serving.publicKey.bytes))
        try a.store.setFact("serving_certificate", .blob(WireCoding.encode(hub.identity.certificate)))
        let clock = fixture.clock
        let repair = try StoreRepair(
            damaged: a.store.path, newPath: a.store.path + ".repaired", schema: HubFixture.schema,
            key: a.identity.key, clock: { clock.milliseconds })
        #expect(try repair.store.verify(deep: true).problems == [] && repair.store.verify().erasedValues == 1)
        let path = fixture.directory.appending(path: "repaired.db").path
        _ = try LogRepair(
            damaged: fixture.directory.appending(path: "log.db").path, newPath: path, identity: hub.identity,
            device: try fixture.centreIdentity().key.publicKey, epoch: [UInt8](repeating: 9, count: 16))
        try fixture.use(log: path)
        #expect(try logProblems() == [] && hub.erasures().count == 1)
        try a.syncWhole()
        #expect(try secret(a.store) == .null)
    }

    @Test("an entry whose erasure was changed on the way is refused, and so is one that another kind carries")
    func followed() throws {
        try erase()
        let response = try fixture.entries(for: b)
        func code(_ change: (inout WireLogEntry) -> Void) throws -> ProtocolError.Code? {
            var entries = response.entries
            let at = try #require(entries.firstIndex { $0.kind == .erasure })
            change(&entries[at])
            do {
                var follower = LogFollower(
                    serving: ServingKeys(fixture.serving.publicKey), organisation: fixture.organisation, cursors: [],
                    knownKey: { _ in nil })
                let delivery = try follower.follow(entries, epoch: Array(response.epoch))
                #expect(delivery.erasures.count == 1)
                return nil
            } catch { return (error as? ProtocolError)?.code }
        }
        #expect(try code { _ in } == nil)
        #expect(try code { $0.erasure = Data() } == .malformed)
        #expect(try code { $0.erasure[$0.erasure.count - 1] ^= 1 } == .brokenLink)
        #expect(try code { $0.kind = .verdict } == .malformed)
        #expect(
            try code {
                $0.kind = .UNRECOGNIZED(99); $0.erasure = Data()
            } == .unsupportedVersion)
    }

    @Test("an erasure that is handed back without the centre's signature is passed over")
    func forged() throws {
        let (hash, _) = try payload()
        let bytes = try Erasure([.init(block: hash, place: 0, column: "secret")], reason: "forged").encoded
        var item = WireHandedBack()
        item.erasure = Data(bytes)
        item.proof.kind = .erasure
        (item.proof.channel, item.proof.sequence) = ("org", 3)
        item.proof.epoch = Data(repeating: 7, count: 16)
        item.proof.objectHash = Data(Erasure.hash(of: bytes).bytes)
        item.proof.previous = Data(repeating: 0, count: 32)
        item.proof.signature = Data(repeating: 1, count: 64)
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(a.identity.replica.bytes)
        request.handedBack = [item]
        _ = try hub.reconcile(request, from: a.identity.key.publicKey)
        #expect(try hub.erasures().isEmpty && payload().hash == hash)
    }
}
