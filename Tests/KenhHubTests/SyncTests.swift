import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// The log on its way to devices.
@Suite struct SyncTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    @Test("a small limit brings the log in pages, each of at least one entry, until nothing is more")
    func paging() throws {
        try a.send(a.chain(5))
        try b.insert("t", channel: "plan/1")
        let total = try fixture.heads.reduce(0) { $0 + Int($1.sequence) }
        #expect(try b.sync(downLimitBytes: 1) > total / 2)
        #expect(try b.store.rows("SELECT id FROM note").count == 5)
        #expect(try b.sync(downLimitBytes: 1) == 1)
        #expect(try a.sync(downLimitBytes: 700) > 1)
        #expect(try a.store.settledDigests() == b.store.settledDigests())
    }

    @Test("what a page says of more is true, and the registry comes first")
    func more() throws {
        try a.send(a.chain(3))
        var request = b.request()
        request.downLimitBytes = 1
        let first = try fixture.hub.sync(request, from: b.registered)
        #expect(first.more && first.entries.count == 1 && first.entries[0].channel == ChannelName.registry)
        request.downLimitBytes = 0
        let all = try fixture.hub.sync(request, from: b.registered)
        #expect(!all.more)
        let kinds = all.entries.map(\.kind)
        #expect(kinds == kinds.filter { $0 == .registry } + kinds.filter { $0 == .block })
        #expect(all.entries.suffix(3).map(\.sequence) == [1, 2, 3])
        #expect(all.heads.map(\.channel) == ["kenh/registry", "org"])
        #expect(all.epoch == Data(repeating: 7, count: 16))
    }

    @Test("a device's own blocks come back without their bytes, unless it asks for them")
    func ownBlocks() throws {
        let blocks = try a.chain(2)
        try a.send(blocks)
        let own = try fixture.entries(for: a, withOwn: false).entries.filter { $0.kind == .block }
        #expect(own.count == 2 && own.allSatisfy { !$0.hasBlock })
        #expect(own.map { Array($0.objectHash) } == blocks.map(\.hash.bytes))
        let asked = try fixture.entries(for: a).entries.filter { $0.kind == .block }
        #expect(asked.map { Array($0.block.header) } == blocks.map(\.headerBytes))
        let others = try fixture.entries(for: b, withOwn: false).entries.filter { $0.kind == .block }
        #expect(others.allSatisfy { $0.hasBlock })
    }

    @Test("a cursor that is not of this log is a mismatch, which the asker is told to settle")
    func cursors() throws {
        try a.send(a.chain(2))
        try a.sync()
        let good = try #require(try a.store.cursors().first { $0.channel == "org" })
        let wrong = [
            ChannelCursor(channel: "org", epoch: good.epoch, sequence: 2, logHash: .zero),
            ChannelCursor(channel: "org", epoch: good.epoch, sequence: 1, logHash: good.logHash),
            ChannelCursor(channel: "org", epoch: good.epoch, sequence: 3, logHash: good.logHash),
            ChannelCursor(channel: "org", epoch: good.epoch, sequence: .max, logHash: good.logHash),
            ChannelCursor(channel: "org", epoch: [UInt8](repeating: 8, count: 16), sequence: 2, logHash: good.logHash),
            ChannelCursor(channel: "none", epoch: good.epoch, sequence: 2, logHash: good.logHash),
            ChannelCursor(channel: "ke\u{302}", epoch: good.epoch, sequence: 2, logHash: good.logHash),
        ]
        for cursor in wrong {
            let request = a.request(cursors: [cursor])
            let error = #expect(throws: HubError.self) { try fixture.hub.sync(request, from: a.registered) }
            #expect(error?.code == .logMismatch && error?.recovery == .resync)
        }
        let fits = try fixture.hub.sync(a.request(cursors: [good]), from: a.registered)
        #expect(!fits.entries.contains { $0.channel == "org" })
        let none = ChannelCursor(channel: "org", epoch: [], sequence: 0, logHash: .zero)
        #expect(try fixture.hub.sync(a.request(cursors: [none]), from: a.registered).entries.count > 2)
    }

    @Test("two devices that sync through the centre agree, and their conflicts are the same")
    func together() throws {
        try a.insert("x")
        try a.sync()
        try b.sync()
        try a.update("x", "by A")
        try b.update("x", "by B")
        try a.insert("t", channel: "plan/1")
        for _ in 1...2 {
            try a.sync()
            try b.sync()
        }
        #expect(try a.store.settledDigests() == b.store.settledDigests())
        #expect(try a.store.conflicts() == b.store.conflicts())
        #expect(try a.store.conflicts().count == 1)
        #expect(try a.store.verify(deep: true).problems == [])
    }

    @Test("many devices at once lose nothing and leave no gap")
    func concurrently() async throws {
        let blocks = try a.chain(20)
        let (hub, request, registered) = (fixture.hub, a.request(blocks), a.registered)
        try await withThrowingTaskGroup(of: [WireVerdict].self) { group in
            for _ in 1...8 { group.addTask { try hub.sync(request, from: registered).receipts.map(\.verdict) } }
            var accepted = 0
            for try await verdicts in group {
                #expect(verdicts.allSatisfy { $0 == .accepted || $0 == .alreadyHad })
                accepted += verdicts.count { $0 == .accepted }
            }
            #expect(accepted == 20)
        }
        #expect(try fixture.blockCount == 20)
        try b.sync()
        #expect(try b.store.rows("SELECT id FROM note").count == 20)
    }

    @Test("a log that is opened again goes on with its epoch and its entries")
    func reopened() throws {
        try a.send(a.chain(2))
        let again = try SQLiteLog(
            path: fixture.directory.appending(path: "log.db").path, newEpoch: [UInt8](repeating: 9, count: 16))
        #expect(try again.read { try $0.epoch } == [UInt8](repeating: 7, count: 16))
        #expect(try again.read { try $0.heads() } == fixture.heads)
    }
}
