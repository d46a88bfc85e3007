import Foundation
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// What a centre does by itself while it serves.
@Suite("A centre that serves") struct UpkeepTests {
    private let centre: Centre

    init() throws { centre = try Centre() }

    /// A cell's store that syncs with the hub itself.
    private func cell(_ seed: UInt64) throws -> (store: Store, sync: () throws -> Void) {
        let device = try centre.joined(seed)
        let store = try Store(
            path: centre.folder.appending(path: "cell\(seed).db").path, schema: SimulatedSchema.first)
        let identity = StoreIdentity(
            organisation: centre.hub.identity.organisation, replica: device.replica, key: device.key)
        return (
            store,
            {
                for _ in 1...2 {
                    let outbox = try store.outbox(as: identity, limitBytes: 1 << 20)
                    var request = WireSyncRequest()
                    request.protocol = Limits.protocolVersion
                    request.replica = Data(outbox.replica.bytes)
                    request.cursors = outbox.cursors.map(\.wire)
                    request.blocks = outbox.blocks.map(\.wire)
                    request.allSent = true
                    let registered = try #require(try centre.hub.device(device.key.publicKey.bytes))
                    let response = try centre.hub.sync(request, from: registered)
                    var follower = LogFollower(
                        serving: ServingKeys(centre.hub.identity.servingKey.publicKey),
                        organisation: identity.organisation, cursors: outbox.cursors,
                        knownKey: { try store.deviceKey(of: $0) })
                    _ = try store.take(
                        follower.follow(response.entries, epoch: Array(response.epoch)), as: identity)
                }
            }
        )
    }

    @Test("makes deletions final, makes snapshots and moves old blocks into archives")
    func byItself() async throws {
        let (store, sync) = try cell(5)
        let table = "item"
        for id in ["gone", "stays"] { try store.write { try $0.insert(table, [("id", .text(id))]) } }
        try sync()
        try store.write { try $0.delete(table, id: "gone") }
        try sync()
        centre.hub.offerSnapshots(from: SnapshotShelf(folder: centre.folder.appending(path: "snapshots")))
        var options = UpkeepOptions(folder: centre.folder.path)
        (options.snapshotAgeMilliseconds, options.archiveAgeMilliseconds) = (-1, -1)
        (options.leastSnapshotBytes, options.leastArchiveBytes) = (1, 1)
        (options.intervalSeconds, options.dayMilliseconds) = (0.01, 0)
        options.archives = ArchiveShelf(centre.folder.appending(path: "archives"))
        let hub = centre.hub
        try await centre.live(upkeep: options) { _ in
            try await Blocking.run {
                while try hub.archives().isEmpty || hub.deletions().isEmpty { sched_yield() }
            }
        }
        #expect(try hub.snapshots().isEmpty == false)
        #expect(try hub.finalDeletions().isEmpty, "nobody has said that he knows of it")
        try sync()
        #expect(try hub.deletions().map(\.waiting) == [[]])
        try await centre.live(upkeep: options) { _ in
            try await Blocking.run { while try hub.finalDeletions().isEmpty { sched_yield() } }
        }
        #expect(try hub.finalDeletions().map(\.writes) == [1])
    }
}
