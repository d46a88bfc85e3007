import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhProtocol
import KenhStore
import KenhTesting
import Synchronization
import Testing

/// What a line can make of an answer at one byte.
private enum Spoiling: String, CaseIterable {
    case truncated, duplicated, reordered, flipped
    /// The part before the byte is of the answer to the request before.
    case spliced

    func body(_ body: [UInt8], at place: Int, old: [UInt8]) -> [UInt8] {
        let (head, tail) = (body[..<place], body[place...])
        switch self {
        case .truncated: return Array(head)
        case .duplicated: return Array(head + head + tail)
        case .reordered: return Array(tail + head)
        case .flipped:
            var body = body
            body[place] ^= 1 << UInt8(place & 7)
            return body
        case .spliced: return Array(old.prefix(place) + tail)
        }
    }
}

/// A line to a centre that is there, on which answers are spoiled.
private final class SpoilingTransport: HTTPTransport {
    private struct State {
        var spoil: (@Sendable (_ reply: HTTPReply, _ old: HTTPReply) -> HTTPReply)?
        var old = HTTPReply(status: 0)
    }

    private let transport: CurlTransport
    private let state = Mutex(State())

    init(_ transport: CurlTransport) { self.transport = transport }

    /// As it came.
    var lastReply: HTTPReply { state.withLock { $0.old } }

    func spoil(_ spoil: (@Sendable (_ reply: HTTPReply, _ old: HTTPReply) -> HTTPReply)?) {
        state.withLock { $0.spoil = spoil }
    }

    func send(_ call: HTTPCall) throws(TransportError) -> HTTPReply {
        let reply = try transport.send(call)
        return state.withLock { state in
            let spoiled = state.spoil?(reply, state.old) ?? reply
            state.old = reply
            return spoiled
        }
    }
}

/// A cell with one change to send and one to fetch.
private struct SmallExchange {
    let store: Store
    let line: SpoilingTransport
    private let sync: CellSync

    init(_ centre: Centre, _ live: LiveCentre) throws {
        let (writer, device) = (try centre.joined(5), try centre.joined(6))
        _ = try centre.hub.sync(
            writer.sync([writer.seal("Một")]), from: try #require(try centre.hub.device(writer.key.publicKey.bytes)))
        let organisation = centre.hub.identity.organisation
        let identity = StoreIdentity(organisation: organisation, replica: device.replica, key: device.key)
        store = try Store(
            path: centre.folder.appending(path: "cell.db").path, schema: SimulatedSchema.first,
            clock: { Centre.start })
        try store.write { try $0.insert("item", [("id", .text("a")), ("title", .text("Hai"))]) }
        let serving = centre.hub.identity.servingKey.publicKey
        line = SpoilingTransport(try live.transport())
        let client = CentreClient(
            transport: line, key: device.key, organisation: organisation, clock: { Centre.start })
        sync = CellSync(
            store: store, identity: identity, centre: ServingKeys(serving),
            link: CentreLink(client: client, centre: serving),
            clock: { Centre.start })
    }

    func run() throws -> SyncReport { try sync.run() }

    /// What a spoiled answer must not change.
    func state() throws -> [String] {
        let status = try store.status()
        return [
            "\(try store.cursors())", "\(status.unsentBlocks) \(status.pendingChanges) \(status.heldBlocks)",
            "\(try store.rows("SELECT * FROM item").count)", "\(try store.notices().map(\.code))",
        ]
    }
}

@Suite("A small exchange, spoiled at every byte", .timeLimit(.minutes(60)))
struct SmallExchangeTests {
    @Test("changes nothing here, and the next one brings everything", arguments: Spoiling.allCases.map(\.rawValue))
    func everyByte(_ name: String) async throws {
        let spoiling = try #require(Spoiling(rawValue: name))
        let centre = try Centre()
        try await centre.live { live in
            try await Blocking.run {
                let exchange = try SmallExchange(centre, live)
                exchange.line.spoil { reply, _ in HTTPReply(status: reply.status, headers: reply.headers) }
                #expect(throws: CellError.self) { try exchange.run() }
                let before = try exchange.state()
                let size = exchange.line.lastReply.body.count
                #expect(size > 500, "receipts, entries and proofs are in it")
                let spoiled = Mutex(0)
                for place in 0..<size {
                    // Other times, so that no answer is like the one before.
                    centre.clock.advance(milliseconds: 1)
                    exchange.line.spoil { reply, old in
                        let body = spoiling.body(reply.body, at: place, old: old.body)
                        guard body != reply.body else { return HTTPReply(status: reply.status) }
                        spoiled.withLock { $0 += 1 }
                        return HTTPReply(status: reply.status, headers: reply.headers, body: body)
                    }
                    #expect(throws: CellError.self, "\(name) at \(place)") { try exchange.run() }
                }
                #expect(spoiled.withLock { $0 } > 300, "of \(size) bytes")
                #expect(try exchange.state() == before)
                exchange.line.spoil(nil)
                _ = try exchange.run()
                try expectWhole(exchange, centre)
            }
        }
    }

    @Test("an answer that comes once more, or in the place of another, is not believed")
    func replayed() async throws {
        let centre = try Centre()
        try await centre.live { live in
            try await Blocking.run {
                let exchange = try SmallExchange(centre, live)
                exchange.line.spoil { reply, _ in HTTPReply(status: reply.status) }
                #expect(throws: CellError.self) { try exchange.run() }
                let before = try exchange.state()
                exchange.line.spoil { _, old in old }
                for _ in 0..<5 { #expect(throws: CellError.self) { try exchange.run() } }
                #expect(try exchange.state() == before)
                exchange.line.spoil(nil)
                _ = try exchange.run()
                try expectWhole(exchange, centre)
            }
        }
    }

    private func expectWhole(_ exchange: SmallExchange, _ centre: Centre) throws {
        let status = try exchange.store.status()
        #expect(status.unsentBlocks == 0 && status.pendingChanges == 0)
        let sequences = Dictionary(uniqueKeysWithValues: try exchange.store.cursors().map { ($0.channel, $0.sequence) })
        #expect(sequences["plan/KH1"] == 1 && sequences["org"] == 1)
        let heads = try centre.log.read { try $0.heads() }
        #expect(heads.first { $0.channel == "org" }?.sequence == 1, "what was sent again and again is there once")
    }
}
