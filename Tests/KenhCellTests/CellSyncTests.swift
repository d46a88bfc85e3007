import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite("A cell's sync") struct CellSyncTests {
    private static let start: Int64 = 1_760_000_000_000

    /// Answers as it is told, whatever it is asked.
    private struct Script: SyncLink {
        let answer: WireSyncResponse
        func sync(_ request: WireSyncRequest) throws -> WireSyncResponse { answer }
        func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
            throw CellError(.refused, "no", recovery: .stop)
        }
    }

    private let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-cell-\(UUID().uuidString)")
    private let store: Store
    private let identity: StoreIdentity
    private let serving: SigningKey

    init() throws {
        var random = SeededGenerator(seed: 3)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let table = Table("note", channel: .constant("org"), columns: [.text("title")])
        store = try Store(
            path: folder.appending(path: "kenh.db").path, schema: try Schema([Migration(1, [.table(table)])]),
            clock: { Self.start })
        serving = try SigningKey(using: &random)
        identity = StoreIdentity(
            organisation: serving.publicKey.organisationFingerprint, replica: .random(using: &random),
            key: try SigningKey(using: &random))
    }

    /// A log of one registry entry, and a head that may say otherwise.
    private func answer(headIsTrue: Bool) throws -> WireSyncResponse {
        var cell = WireCellAdded()
        (cell.code, cell.name) = ("A", "Cell A")
        var statement = WireRegistryStatement()
        statement.organisation = Data(identity.organisation.bytes)
        statement.what = .cellAdded(cell)
        var entry = WireLogEntry()
        entry.registry = try WireSignedStatement(signing: statement, with: serving, domain: .registryStatement)
        (entry.kind, entry.channel, entry.sequence, entry.position) = (.registry, ChannelName.registry, 1, 1)
        let object = Hashing.sha256(domain: .registry, Array(entry.registry.statement))
        entry.objectHash = Data(object.bytes)
        entry.acceptedAtMs = Self.start
        var head = WireChannelHead()
        (head.channel, head.sequence) = (ChannelName.registry, 1)
        let epoch = [UInt8](repeating: 7, count: EntryProof.epochBytes)
        let hash = EntryHash.next(
            after: .zero, kind: .registry, channel: ChannelName.registry, sequence: 1, object: object,
            acceptedAtMilliseconds: Self.start)
        entry.signature = Data(try EntryProof.sign(hash, epoch: epoch, with: serving))
        head.logHash = Data(headIsTrue ? hash.bytes : hash.bytes.reversed())
        let tree = Checkpoint(
            origin: Checkpoint.origin(organisation: identity.organisation, epoch: epoch), size: 1,
            root: MerkleHash.leaf(hash.bytes))
        head.position = 1
        var answer = WireSyncResponse()
        answer.checkpoint = try tree.signed(with: serving).encoded
        (answer.entries, answer.heads, answer.timeMs) = ([entry], [head], Self.start)
        answer.epoch = Data(epoch)
        return answer
    }

    private func sync(_ answer: WireSyncResponse) throws -> SyncReport {
        defer { try? FileManager.default.removeItem(at: folder) }
        let sync = CellSync(
            store: store, identity: identity, centre: ServingKeys(serving.publicKey), link: Script(answer: answer),
            clock: { Self.start })
        return try sync.run()
    }

    @Test("takes a log that ends as the centre's signed heads say")
    func good() throws {
        #expect(try sync(answer(headIsTrue: true)).rounds == 1)
        #expect(try store.cursors().map(\.sequence) == [1])
    }

    @Test("takes nothing of a log that ends otherwise, and says so")
    func otherEnd() throws {
        #expect(throws: (any Error).self) { try sync(answer(headIsTrue: false)) }
        #expect(try store.cursors().allSatisfy { $0.sequence == 0 })
    }

    @Test("survives any time that an answer claims", arguments: [Int64.min, -1, 0, .max])
    func absurdTime(_ time: Int64) throws {
        var answer = try answer(headIsTrue: true)
        answer.timeMs = time
        #expect(try sync(answer).rounds == 1)
        #expect(try store.cursors().map(\.sequence) == [1])
    }
}
