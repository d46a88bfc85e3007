import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite("Who is told of what moved")
struct WakeBoardTests {
    private let fixture: HubFixture
    private let board: WakeBoard
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws {
        fixture = try HubFixture()
        // Others write into the same file, which the model would not know.
        try fixture.use(log: fixture.directory.appending(path: "log.db").path)
        board = WakeBoard(hub: fixture.hub, limit: 2)
    }

    private func write(_ id: String, in channel: String) throws {
        try b.insert(id, channel: channel)
        try b.send(b.blocks())
    }

    /// What a listener is told by one look.
    private func told(_ listener: WakeListener) throws -> [String] {
        try board.look()
        return listener.take()
    }

    /// Whether the listener has ended; waits where it has not.
    private func ended(_ listener: WakeListener) async {
        for await _ in listener.signals {}
        for await _ in listener.end {}
    }

    @Test("those who listen are told which channels moved since, once")
    func moved() throws {
        try write("before", in: "plan/0")
        let listener = try board.listen(for: a.registered)
        #expect(try told(listener) == [], "what was there before")
        try write("1", in: "plan/2")
        try write("2", in: "plan/1")
        #expect(try told(listener) == ["plan/1", "plan/2"])
        #expect(try told(listener) == [])
    }

    @Test("it does not matter who appends: another log on the same file does, too")
    func otherProcess() throws {
        let listener = try board.listen(for: a.registered)
        let path = fixture.directory.appending(path: "log.db").path
        let other = Hub(
            log: try SQLiteLog(path: path, newEpoch: [UInt8](repeating: 9, count: 16)), identity: fixture.hub.identity,
            clock: { HubFixture.start })
        try other.addCell(code: "C", name: "Cell C")
        #expect(try told(listener) == [ChannelName.registry])
    }

    @Test("what moved again and again before it was fetched is told once, and only so many names are held")
    func coalescing() async throws {
        let listener = try board.listen(for: a.registered)
        for number in 0..<5 {
            try write("\(number)", in: "plan/1")
            try board.look()
        }
        #expect(listener.take() == ["plan/1"])
        try b.store.write { transaction in
            for number in 0..<200 {
                let channel = "many/\(String(format: "%03d", number))"
                try transaction.insert("task", [("id", .text(channel)), ("channel", .text(channel))])
            }
        }
        try b.send(b.blocks())
        #expect(try told(listener).count == 64)
        var signals = listener.signals.makeAsyncIterator()
        #expect(await signals.next() != nil)
        board.close()
        #expect(await signals.next() == nil, "five moves and more have left one signal")
    }

    @Test("of a channel that the cell may not read, nothing is told, from the moment that it may not")
    func rights() throws {
        try fixture.hub.grant("none", to: "A", in: "secret/*")
        let listener = try board.listen(for: a.registered)
        let other = try board.listen(for: b.registered)
        try write("1", in: "secret/1")
        try write("2", in: "plan/1")
        #expect(try told(listener) == ["plan/1"])
        #expect(other.take() == ["plan/1", "secret/1"])
        try fixture.hub.grant("reader", to: "A", in: "secret/1")
        try write("3", in: "secret/1")
        #expect(try told(listener) == [ChannelName.registry, "secret/1"])
        try fixture.hub.grant("none", to: "A", in: "*")
        try fixture.hub.grant("none", to: "A", in: "secret/1")
        try write("4", in: "secret/1")
        try write("5", in: "plan/1")
        #expect(try told(listener) == [ChannelName.registry])
    }

    @Test("a newer listener of a device ends its older one")
    func replaced() async throws {
        let older = try board.listen(for: a.registered)
        let newer = try board.listen(for: a.registered)
        await ended(older)
        #expect(board.listenerCount == 1)
        try write("1", in: "plan/1")
        #expect(try told(newer) == ["plan/1"])
        #expect(older.take() == [])
    }

    @Test("one more than the limit is refused, until another lets go; a device that comes again is no more")
    func limit() throws {
        try fixture.hub.addCell(code: "C", name: "Cell C")
        let c = try fixture.device("C")
        try fixture.enrol(c, code: fixture.hub.issueCode(cell: "C"))
        var kept: [WakeListener] = [try board.listen(for: a.registered), try board.listen(for: b.registered)]
        #expect(throws: HubError(.unavailable, "")) { try board.listen(for: c.registered) }
        kept[1] = try board.listen(for: b.registered)
        #expect(board.listenerCount == 2)
        kept.removeLast()
        #expect(board.listenerCount == 1)
        kept.append(try board.listen(for: c.registered))
        #expect(board.listenerCount == kept.count)
    }

    @Test("a device that is revoked is told nothing more, and does not get on the board again")
    func revoked() async throws {
        let listener = try board.listen(for: a.registered)
        try fixture.hub.revoke(a.identity.key.publicKey, reason: "stolen")
        try write("1", in: "plan/1")
        try board.look()
        await ended(listener)
        #expect(board.listenerCount == 0)
        #expect(throws: ProtocolError(.revoked, "")) { try board.listen(for: a.registered) }
        #expect(board.listenerCount == 0)
    }

    @Test("a board that is closed ends everybody and takes nobody")
    func closed() async throws {
        let listeners = [try board.listen(for: a.registered), try board.listen(for: b.registered)]
        board.close()
        for listener in listeners { await ended(listener) }
        #expect(throws: HubError(.unavailable, "")) { try board.listen(for: a.registered) }
    }
}
