import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Older copies put back, of the centre and of cells, without a word to anybody.
@Suite struct RestoreTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    private func settle(_ devices: [DeviceFixture]? = nil) throws {
        for _ in 1...2 { for device in devices ?? fixture.devices { try device.syncWhole() } }
    }

    private func expectAgreement(_ devices: [DeviceFixture]? = nil) throws {
        let devices = devices ?? fixture.devices
        let expected = try devices[0].store.settledDigests()
        for device in devices {
            #expect(try device.store.settledDigests() == expected && !expected.isEmpty)
            #expect(try device.store.verify(deep: true).problems == [])
        }
    }

    private func notices(_ device: DeviceFixture) throws -> [String] { try device.store.notices().map(\.code) }

    // MARK: the centre

    @Test("a centre that was put back opens a new epoch and is given back what it lacks, others' blocks included")
    func rewoundCentre() throws {
        try a.insert("before")
        try settle()
        try fixture.backUpLog()
        fixture.clock.advance(milliseconds: 60_000)
        try a.insert("lost", "by A")
        let lost = try a.blocks()
        try settle()
        try b.update("lost", "by B")
        try settle()
        let before = try #require(try fixture.acceptance(of: lost[0]))

        fixture.clock.advance(milliseconds: 3_600_000)
        try fixture.restoreLog()
        #expect(try fixture.acceptance(of: lost[0]) == nil)
        #expect(try b.syncWhole().handedBackBlocks == 2)
        #expect(try fixture.epoch != [UInt8](repeating: 7, count: 16))
        #expect(try fixture.acceptance(of: lost[0])?.acceptedAtMilliseconds == before.acceptedAtMilliseconds)
        #expect(try notices(b).contains("rewound"))

        #expect(try a.syncWhole().handedBackBlocks == 0, "B handed all of it back")
        try settle()
        try expectAgreement()
        #expect(try a.title("lost") == "by B")
        #expect(try a.store.cursors().map(\.logHash) == b.store.cursors().map(\.logHash))
    }

    @Test("where a block was taken anew and later than once before, whoever can prove the earlier time hands that back")
    func earlierAcceptance() throws {
        try a.insert("before")
        try settle()
        try fixture.backUpLog()
        try a.insert("x", "taken early")
        let block = try a.blocks()[0]
        try a.syncWhole()
        let first = try #require(try fixture.acceptance(of: block)).acceptedAtMilliseconds
        fixture.clock.advance(milliseconds: 3_600_000)
        try fixture.restoreLog()
        // It takes the block for one that it has to send, and knows when it was taken once.
        try a.store.adopt(
            Adoption(epoch: fixture.epoch, common: [:], acceptances: [:], handedBackBlocks: 0), as: a.identity)
        try settle()
        try settle()
        #expect(try fixture.acceptance(of: block)?.acceptedAtMilliseconds == first)
        try expectAgreement()
        #expect(try a.syncWhole().rounds == 1, "nobody owes anything any more")
    }

    @Test("work that goes on between is merged with what comes back")
    func workGoesOn() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        try a.update("x", "lost")
        try a.syncWhole()
        try fixture.restoreLog()
        try b.update("x", "after")
        try b.insert("new", channel: "plan/1")
        try b.syncWhole()
        try a.insert("t", channel: "plan/1")
        try settle()
        try expectAgreement()
        #expect(try a.store.conflicts().count == 1)
        #expect(try a.store.rows("SELECT id FROM task").count == 2)
    }

    @Test("a receipt alone proves the loss, where the device had followed nothing of what was lost")
    func receipts() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        try a.insert("y")
        let blocks = try a.blocks()
        let receipts = try a.send(blocks)
        let items = try receipts.map {
            Delivery.Item(hash: blocks[0].hash, block: nil, acceptance: try .init(try EntryProof($0.proof)))
        }
        _ = try a.store.take(Delivery(items: items), as: a.identity)
        try fixture.restoreLog()
        #expect(try a.syncWhole().handedBackBlocks == 1)
        #expect(try fixture.epoch != [UInt8](repeating: 7, count: 16))
        try settle()
        try expectAgreement()
        #expect(try b.store.rows("SELECT id FROM note").count == 2)
    }

    @Test("the earliest acceptance counts, and whoever had a later one is told")
    func verdicts() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        let older = try a.copyOfStore()
        // A claim far ahead of the centre's clock: when it was accepted decides its order.
        let ahead = fixture.clock.milliseconds + 86_400_000
        try a.store.write(atMilliseconds: ahead) { try $0.update("note", id: "x", [("title", "far ahead")]) }
        try settle()
        fixture.clock.advance(milliseconds: 3_600_000)
        let blocks = try a.store.block(a.hashes().last ?? .zero).map { [$0] } ?? []
        let first = try #require(try fixture.acceptance(of: blocks[0])).acceptedAtMilliseconds

        try fixture.restoreLog()
        // Somebody brings the block without knowing when it had been accepted.
        a.putBack(older)
        try a.send(blocks)
        #expect(try fixture.acceptance(of: blocks[0])?.acceptedAtMilliseconds == first + 3_600_000)
        let c = try fixture.device("C")
        try fixture.enrol(c, code: fixture.hub.issueCode(cell: "A"))
        try c.syncWhole()
        try b.syncWhole()
        #expect(try fixture.acceptance(of: blocks[0])?.acceptedAtMilliseconds == first)
        try settle(fixture.devices + [c])
        try expectAgreement(fixture.devices + [c])
    }

    @Test("a device that the restored log never heard of is known again by what it hands back itself")
    func forgottenDevice() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        try fixture.hub.addCell(code: "C", name: "Cell C")
        let c = try fixture.device("C")
        try fixture.enrol(c, code: fixture.hub.issueCode(cell: "C"))
        try c.insert("by C")
        try settle(fixture.devices + [c])
        try fixture.restoreLog()
        #expect(try fixture.hub.device(c.identity.key.publicKey.bytes) == nil)
        try c.insert("again by C")
        #expect(try c.syncWhole().handedBackBlocks == 1)
        #expect(try fixture.hub.device(c.identity.key.publicKey.bytes)?.cell == "C")
        try settle(fixture.devices + [c])
        try expectAgreement(fixture.devices + [c])
        #expect(try a.store.authors().values.contains("C"))
    }

    @Test("put back twice, to the same copy: every life of the log has an epoch of its own")
    func twice() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        var epochs: Set<[UInt8]> = [try fixture.epoch]
        for round in 1...3 {
            try a.insert("a\(round)")
            try b.insert("b\(round)")
            try settle()
            try fixture.restoreLog()
            try settle()
            epochs.insert(try fixture.epoch)
        }
        #expect(epochs.count == 4)
        try expectAgreement()
        #expect(try b.store.rows("SELECT id FROM note").count == 7)
    }

    @Test("an epoch that the restored log has forgotten proves one loss, and no second one")
    func forgottenEpoch() throws {
        try a.insert("x")
        try settle()
        try fixture.backUpLog()
        try fixture.restoreLog()
        try b.insert("y")
        try a.insert("z")
        try settle()
        // Twice back to the same copy: the second time the log has forgotten the epoch in between.
        for number in 1...2 {
            try fixture.restoreLog()
            try a.insert("a\(number)")
            try settle()
        }
        let epoch = try fixture.epoch
        try a.insert("last")
        try settle()
        try settle()
        #expect(try fixture.epoch == epoch)
        try expectAgreement()
    }

    // MARK: cells

    @Test("a cell that was put back takes its lost blocks back and writes under a new replica id")
    func rewoundCell() throws {
        try a.insert("x", "first")
        try settle()
        let old = try a.copyOfStore()
        try a.update("x", "lost")
        try a.insert("lost", channel: "plan/1")
        try settle()
        a.putBack(old)
        #expect(try a.store.logRecord(as: a.identity).replica == a.identity.replica)
        try a.update("x", "on the old copy")
        #expect(try a.syncWhole().regainedBlocks == 2)
        let replica = try a.store.logRecord(as: a.identity).replica
        #expect(replica != a.identity.replica)
        #expect(try notices(a).filter { $0 == "restored" }.count == 1)
        try a.insert("later")
        try settle()
        try expectAgreement()
        #expect(try b.store.rows("SELECT id FROM task").count == 1)
        #expect(try b.store.conflicts().count == 1, "both lines of work are there")
        #expect(try b.store.block(a.hashes().last ?? .zero)?.header.replica == replica)
        #expect(try a.store.logRecord(as: a.identity).replica == replica, "once is enough")
    }

    @Test("two copies of a cell that both go on are told, keep both lines, and part for good")
    func clone() throws {
        try a.insert("x", "first")
        try settle()
        let copy = try a.clone()
        try a.update("x", "on one machine")
        try copy.update("x", "on the other")
        try copy.insert("y")
        for _ in 1...3 { for device in [a, copy, b] { try device.syncWhole() } }
        let replicas = try Set([a, copy].map { try $0.store.logRecord(as: $0.identity).replica })
        #expect(replicas.count == 2)
        #expect(try notices(a).contains("restored") || notices(copy).contains("restored"))
        try a.insert("from one")
        try copy.insert("from the other")
        for _ in 1...3 { for device in [a, copy, b] { try device.syncWhole() } }
        try expectAgreement([a, copy, b])
        #expect(try b.store.rows("SELECT id FROM note").count == 4)
        #expect(try b.store.conflicts().count == 1)
    }

    @Test("cell and centre put back at once lose nothing that anybody else holds")
    func both() throws {
        try a.insert("x")
        try settle()
        let old = try a.copyOfStore()
        try fixture.backUpLog()
        try a.insert("y")
        try settle()
        a.putBack(old)
        try fixture.restoreLog()
        try a.update("x", "meanwhile")
        try a.syncWhole()
        try settle()
        try expectAgreement()
        #expect(try a.store.rows("SELECT id FROM note").count == 2)
        #expect(try a.title("x") == "meanwhile")
    }

    // MARK: the centre's own tables

    @Test("tables that are newer than the centre's log give back what it lacks")
    func newerTables() throws {
        let view = try fixture.view()
        try a.insert("x")
        try settle()
        try view.catchUp()
        try fixture.backUpLog()
        try view.store.write { try $0.insert("note", [("id", "centre")]) }
        try a.insert("y")
        try settle()
        try view.catchUp()
        try fixture.restoreLog()
        let again = try CentreView(store: view.store, hub: fixture.hub, identity: try fixture.centreIdentity())
        try again.catchUp()
        #expect(try fixture.blockCount == 3)
        #expect(try view.store.notices().map(\.code).contains("rewound"))
        try settle()
        try expectAgreement()
        #expect(try a.store.settledDigests() == view.store.settledDigests())
    }

    @Test("tables that are older than the centre's log get back what they lack")
    func olderTables() throws {
        let view = try fixture.view()
        try view.store.write { try $0.insert("note", [("id", "first")]) }
        try view.catchUp()
        let old = view.store.path + "-old"
        try FileManager.default.copyItem(atPath: view.store.path, toPath: old)
        try view.store.write { try $0.insert("note", [("id", "second")]) }
        try view.catchUp()
        let store = try Store(path: old, schema: HubFixture.schema)
        let again = try CentreView(store: store, hub: fixture.hub, identity: try fixture.centreIdentity())
        try store.write { try $0.insert("note", [("id", "third")]) }
        try again.catchUp()
        #expect(try store.rows("SELECT id FROM note").count == 3)
        #expect(try store.notices().map(\.code).contains("restored"))
        try settle()
        #expect(try a.store.settledDigests() == store.settledDigests())
    }
}
