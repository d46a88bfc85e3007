import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

/// One device with its store, talking to the hub by messages alone.
final class DeviceFixture {
    let name: String
    private(set) var store: Store
    let identity: StoreIdentity
    private unowned let fixture: HubFixture

    init(name: String, store: Store, identity: StoreIdentity, fixture: HubFixture) {
        self.name = name
        self.store = store
        self.identity = identity
        self.fixture = fixture
    }

    var registered: RegisteredDevice { RegisteredDevice(key: identity.key.publicKey, cell: name, name: name) }

    func insert(_ id: String, _ title: String = "t", channel: String? = nil) throws {
        try store.write { transaction in
            if let channel {
                try transaction.insert(
                    "task", [("id", .text(id)), ("channel", .text(channel)), ("title", .text(title))])
            } else {
                try transaction.insert("note", [("id", .text(id)), ("title", .text(title)), ("secret", "s")])
            }
        }
    }

    /// Some blocks, one after another in one lane.
    func chain(_ count: Int) throws -> [Block] {
        for number in 1...count {
            try insert("row\(number)")
            _ = try blocks()
        }
        return try blocks()
    }

    func update(_ id: String, _ title: String) throws {
        try store.write { try $0.update("note", id: .text(id), [("title", .text(title))]) }
    }

    func title(_ id: String) throws -> Value? {
        try store.rows("SELECT title FROM note WHERE id = ?", [.text(id)]).first?["title"]
    }

    /// All blocks, in the order in which they were taken.
    func hashes() throws -> [Hash256] {
        try store.rows("SELECT hash FROM kenh_block ORDER BY seq").compactMap { row in
            if case .blob(let bytes) = row["hash"] { Hash256(bytes: bytes) } else { nil }
        }
    }

    /// Seals what is pending and gives what was not acknowledged.
    func blocks() throws -> [Block] { try store.outbox(as: identity, limitBytes: 1 << 26).blocks }

    func request(_ blocks: [Block] = [], cursors: [ChannelCursor] = []) -> WireSyncRequest {
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(identity.replica.bytes)
        request.blocks = blocks.map(\.wire)
        request.cursors = cursors.map(\.wire)
        return request
    }

    /// Sends blocks and looks at the receipts alone.
    @discardableResult
    func send(_ blocks: [Block]) throws -> [WireReceipt] {
        try fixture.hub.sync(request(blocks), from: registered).receipts
    }

    func follower() throws -> LogFollower {
        LogFollower(
            serving: ServingKeys(fixture.serving.publicKey), organisation: fixture.organisation,
            cursors: try store.cursors(),
            knownKey: { [store] in try store.deviceKey(of: $0) })
    }

    // MARK: backups

    func copyOfStore() throws -> Store { try copy(of: store) }

    func copy(of store: Store) throws -> Store {
        let path = store.path + "-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: store.path, toPath: path)
        return try Store(
            path: path, schema: HubFixture.schema, clock: { [clock = fixture.clock] in clock.milliseconds })
    }

    func putBack(_ copy: Store) { store = copy }

    /// The same device with another store.
    func with(_ store: Store) -> DeviceFixture {
        DeviceFixture(name: name, store: store, identity: identity, fixture: fixture)
    }

    /// The same device with another key.
    func with(key: SigningKey) -> DeviceFixture {
        let identity = StoreIdentity(organisation: identity.organisation, replica: identity.replica, key: key)
        return DeviceFixture(name: name, store: store, identity: identity, fixture: fixture)
    }

    /// The same device on another machine.
    func clone() throws -> DeviceFixture {
        DeviceFixture(name: name, store: try copyOfStore(), identity: identity, fixture: fixture)
    }

    private struct Link: SyncLink {
        let hub: Hub
        let key: PublicKey
        let takesSnapshots: Bool
        let spoil: (([UInt8]) -> [UInt8])?

        func snapshot(of channel: String) throws -> WireSnapshotResponse {
            try known { try hub.snapshot(of: channel, for: $0) }
        }

        func snapshotChunk(_ hash: Hash256, in channel: String) throws -> [UInt8] {
            let packed = try known { try hub.snapshotChunk(hash, in: channel, for: $0) }
            return spoil?(packed) ?? packed
        }

        private func known<T>(_ body: (RegisteredDevice) throws -> T) throws -> T {
            guard let device = try hub.device(key.bytes) else { throw CellError(.refused, "unknown", recovery: .stop) }
            do { return try body(device) } catch let error as ProtocolError where error.code == .notFound {
                throw CellError(.refused, error.message, recovery: .stop)
            }
        }

        func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
            try inTheCellsWords {
                guard let device = try hub.device(key.bytes) else {
                    throw ProtocolError(.unknownDevice, "not registered", recovery: .resync)
                }
                return try hub.sync(request, from: device)
            }
        }

        func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
            try inTheCellsWords { try hub.reconcile(request, from: key) }
        }

        private func inTheCellsWords<T>(_ body: () throws -> T) throws -> T {
            do { return try body() } catch let error as HubError {
                throw CellError(.diverged, error.message, recovery: error.recovery == .resync ? .resync : .stop)
            }
        }
    }

    /// A whole sync with the cell's own session.
    @discardableResult
    func syncWhole(
        centre: ServingKeys? = nil, upLimitBytes: Int = 4 << 20, takesSnapshots: Bool = false,
        spoil: (([UInt8]) -> [UInt8])? = nil, over line: (any SyncLink) -> any SyncLink = { $0 }
    ) throws -> SyncReport {
        let link = Link(
            hub: fixture.hub, key: identity.key.publicKey, takesSnapshots: takesSnapshots, spoil: spoil)
        var sync = CellSync(
            store: store, identity: identity, centre: centre ?? ServingKeys(fixture.serving.publicKey),
            link: line(link),
            clock: { [clock = fixture.clock] in clock.milliseconds })
        sync.options.upLimitBytes = upLimitBytes
        return try sync.run()
    }

    /// As a cell does it, until nothing more comes.
    /// - Returns: in how many round trips.
    @discardableResult
    func sync(downLimitBytes: UInt32 = 0) throws -> Int {
        var rounds = 0
        var more = true
        while more {
            let outbox = try store.outbox(as: identity, limitBytes: 1 << 20)
            var request = request(outbox.blocks, cursors: outbox.cursors)
            request.downLimitBytes = downLimitBytes
            let response = try fixture.hub.sync(request, from: registered)
            var follower = try follower()
            let delivery = try follower.follow(response.entries, epoch: Array(response.epoch))
            try follower.agree(with: response.heads)
            _ = try store.take(delivery, as: identity)
            more = response.more || outbox.hasMore
            rounds += 1
        }
        return rounds
    }
}
