import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// What a device is given of the centre's snapshots, as by `GET /v1/snapshots`.
struct SimulatedSnapshots {
    let hub: Hub
    let key: PublicKey

    func snapshot(of channel: String) throws -> WireSnapshotResponse {
        try found { try hub.snapshot(of: channel, for: $0) }
    }

    func chunk(_ hash: Hash256, in channel: String) throws -> [UInt8] {
        try found { try hub.snapshotChunk(hash, in: channel, for: $0) }
    }

    private func found<T>(_ body: (RegisteredDevice) throws -> T) throws -> T {
        guard let device = try hub.device(key.bytes) else {
            throw CellError(.refused, "the device is not registered", recovery: .stop)
        }
        do { return try body(device) } catch let error as ProtocolError where error.code == .notFound {
            throw CellError(.refused, error.message, recovery: .stop)
        }
    }
}

extension Simulation {
    /// Somebody joins last and begins with snapshots of what all this has made of the log: he has what everybody has. Those
    /// who have all blocks make the same snapshots.
    ///
    /// One seed in four: each snapshot merges a whole channel again, in files of its own.
    func checkNewcomer() throws {
        guard plan.seed.isMultiple(of: 4) else { return }
        let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-sim-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let hub = try centre.hub()
        hub.offerSnapshots(from: SnapshotShelf(folder: folder))
        var random = SeededGenerator(seed: plan.seed ^ 0x4E57)
        var made: [SnapshotManifest] = []
        for channel in try hub.snapshotChannels() {
            let last = try hub.head(of: channel).head.sequence
            scratch.erase()
            made.append(
                try hub.makeSnapshot(
                    of: channel, upTo: UInt64.random(in: 1...last, using: &random), in: scratchFolder
                ).manifest)
        }
        try settle()
        try confirm(made)
        try join(hub, made, using: &random)
        guard plan.seed.isMultiple(of: 16) else { return }
        try archive(hub)
        try join(hub, [], using: &random)
    }

    /// What the snapshots cover is moved into files, from which whoever asks for blocks gets them as before.
    private func archive(_ hub: Hub) throws {
        var moved = 0
        for channel in try hub.snapshotChannels() {
            while let made = try hub.archive(channel, acceptedBefore: .max, on: centre.archives) {
                moved += made.blocks
            }
        }
        count(.archived, moved)
        let problems =
            try LogVerifier(identity: hub.identity).verify(centre.log()).problems
            + hub.checkArchives(on: centre.archives)
        guard problems.isEmpty else { throw SimulationFailure("archives: \(problems)") }
        try settle()
    }

    private var scratchFolder: String { String(scratch.path("x").dropLast(2)) }

    private func confirm(_ made: [SnapshotManifest]) throws {
        for manifest in made {
            let node = cells[Int((plan.seed / 4 &+ manifest.sequence) % UInt64(cells.count))]
            scratch.erase()
            guard try node.store().confirm(manifest, in: scratchFolder) != false else {
                throw SimulationFailure(
                    "cell \(node.number) makes another snapshot of \(manifest.channel) to \(manifest.sequence)")
            }
        }
    }

    /// - Parameter made: none where the newcomer is to take blocks alone.
    private func join(
        _ hub: Hub, _ made: [SnapshotManifest], using random: inout SeededGenerator
    ) throws {
        let number = lines.count + 1 + newcomers
        newcomers += 1
        let identity = StoreIdentity(
            organisation: hub.identity.organisation, replica: .random(using: &random),
            key: try SigningKey(using: &random))
        let node = SimulatedNode(
            number: number, world: world, seed: random.next(), identity: identity,
            schema: SimulatedSchema.second, limits: limits, scratch: scratch)
        try centre.enroll(cell: "CB\(number)", identity)
        let link = MendedLine(
            answer: { [unowned self] in try centre.answer($0, from: identity.key.publicKey) },
            snapshots: made.isEmpty ? nil : SimulatedSnapshots(hub: hub, key: identity.key.publicKey))
        let sync = CellSync(
            store: try node.store(), identity: identity, centre: ServingKeys(centre.servingKey), link: link,
            clock: { node.clock.milliseconds })
        let report = try sync.run()
        try centre.catchUp()
        guard report.snapshots.map(\.channel).sorted() == made.map(\.channel).sorted() else {
            throw SimulationFailure("a newcomer began with \(report.snapshots), of \(made.map(\.channel))")
        }
        guard report.unequalChannels.isEmpty,
            try node.store().settledDigests() == centre.node.store().settledDigests()
        else { throw SimulationFailure("a newcomer of \(made.count) snapshots has other digests") }
        for table in SimulatedSchema.second.tables {
            let (mine, theirs) = (try lines(table, node), try lines(table, centre.node))
            guard mine == theirs else {
                throw SimulationFailure(
                    "\(table.name) of a newcomer differs: \(Self.difference(mine, theirs))")
            }
        }
        guard try conflicts(node) == conflicts(centre.node) else {
            throw SimulationFailure("conflicts of a newcomer differ")
        }
        let verified = try node.verify(deep: true)
        guard verified.isGood else { throw SimulationFailure("a newcomer: \(verified.problems)") }
    }
}
