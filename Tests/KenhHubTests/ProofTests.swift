import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// The tree over the log: what an answer shows of it, and what a device makes of that.
@Suite("The log's tree") struct ProofTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    private func view(known: KeptCheckpoint? = nil) -> TreeView {
        TreeView(servingKey: fixture.serving.publicKey, organisation: fixture.organisation, known: known)
    }

    private func answer(treeSize: UInt64 = 0) throws -> WireSyncResponse {
        var request = b.request()
        request.treeSize = treeSize
        return try fixture.hub.sync(request, from: b.registered)
    }

    private func check(_ answer: WireSyncResponse, known: KeptCheckpoint? = nil) throws -> TreeView.Result {
        try view(known: known).check(answer, cursors: [], atMilliseconds: HubFixture.start)
    }

    @Test("each answer shows that its channels' heads are in the log, and that the log goes on from what was shown")
    func grows() throws {
        var known: KeptCheckpoint?
        for number in 1...20 {
            try a.insert("row\(number)", channel: number % 3 == 0 ? "plan/1" : nil)
            try a.syncWhole()
            let result = try check(try answer(treeSize: known?.checkpoint.size ?? 0), known: known)
            #expect(result.forgotten == nil)
            #expect(result.checkpoint.checkpoint.size > known?.checkpoint.size ?? 0)
            known = result.checkpoint
        }
        #expect(try fixture.log.read { try $0.size } == known?.checkpoint.size)
    }

    private enum Tampering: CaseIterable {
        case inclusion, noInclusion, position, head, note, otherKey, otherLog, none
    }

    @Test("an answer that shows less is not taken", arguments: Tampering.allCases)
    private func tampered(_ tampering: Tampering) throws {
        for number in 1...9 { try a.insert("row\(number)", channel: "plan/\(number)") }
        try a.syncWhole()
        var answer = try answer()
        let last = answer.heads.count - 1
        let checkpoint = try Checkpoint(SignedNote(decoding: answer.checkpoint), servingKey: fixture.serving.publicKey)
        switch tampering {
        case .inclusion: answer.heads[last].inclusion[0][5] ^= 1
        case .noInclusion: answer.heads[last].inclusion = []
        case .position: answer.heads[last].position -= 1
        case .head: answer.heads[last].logHash[0] ^= 1
        case .note: answer.checkpoint = answer.checkpoint.replacing("\n\(checkpoint.size)\n", with: "\n1\n")
        case .otherKey: answer.checkpoint = try checkpoint.signed(with: fixture.root).encoded
        case .otherLog:
            let origin = Checkpoint.origin(organisation: fixture.organisation, epoch: [UInt8](repeating: 1, count: 16))
            answer.checkpoint = try Checkpoint(origin: origin, size: checkpoint.size, root: checkpoint.root)
                .signed(with: fixture.serving).encoded
        case .none: break
        }
        if tampering == .none {
            #expect(try check(answer).checkpoint.checkpoint == checkpoint)
        } else {
            #expect(throws: ProtocolError.self) { try check(answer) }
        }
    }

    @Test("entries that came in pages are shown to be in the tree in the end, though the head stands still then")
    func pages() throws {
        for number in 1...9 {
            try a.insert("row\(number)")
            _ = try a.blocks()
        }
        try a.syncWhole()
        var request = b.request()
        request.downLimitBytes = 1
        var cursors: [ChannelCursor] = []
        var paths = 0
        for _ in 0..<40 {
            request.cursors = cursors.map(\.wire)
            let answer = try fixture.hub.sync(request, from: b.registered)
            var follower = LogFollower(
                serving: ServingKeys(fixture.serving.publicKey), organisation: fixture.organisation, cursors: cursors,
                knownKey: { [store = a.store] in try store.deviceKey(of: $0) })
            let delivery = try follower.follow(answer.entries, epoch: Array(answer.epoch))
            let tree = try view().check(answer, cursors: cursors, atMilliseconds: 0)
            cursors =
                cursors.filter { old in !delivery.cursors.contains { $0.channel == old.channel } } + delivery.cursors
            for index in cursors.indices where tree.covered[cursors[index].channel]?.sequence == cursors[index].sequence
            {
                cursors[index].isCovered = true
            }
            paths = answer.heads.count { !$0.inclusion.isEmpty }
            if !answer.more, paths == 0 { break }
        }
        #expect(cursors.allSatisfy(\.isCovered) && cursors.count == 2 && paths == 0)
        // Of a head for which the device was shown nothing, a path is due.
        var answer = try fixture.hub.sync(request, from: b.registered)
        let bare = cursors.map {
            ChannelCursor(channel: $0.channel, epoch: $0.epoch, sequence: $0.sequence, logHash: $0.logHash)
        }
        #expect(throws: ProtocolError.self) { try view().check(answer, cursors: bare, atMilliseconds: 0) }
        answer.heads = []
        #expect(throws: Never.self) { try view().check(answer, cursors: cursors, atMilliseconds: 0) }
    }

    @Test("entries of a channel without a head are not taken")
    func headless() throws {
        try a.insert("x")
        try a.syncWhole()
        var answer = try answer()
        answer.heads.removeLast()
        var follower = try b.follower()
        _ = try follower.follow(answer.entries, epoch: Array(answer.epoch))
        #expect(throws: ProtocolError(.brokenLink, "")) { try follower.agree(with: answer.heads) }
    }

    @Test("a log that was rewritten in the same life contradicts what a device keeps")
    func contradiction() throws {
        try a.insert("x")
        try a.syncWhole()
        let known = try check(try answer()).checkpoint
        try a.insert("y")
        try a.syncWhole()
        var other = known.checkpoint.root.bytes
        other[0] ^= 1
        let root = try #require(Hash256(bytes: other))
        let lie = Checkpoint(origin: known.checkpoint.origin, size: known.checkpoint.size, root: root)
        let kept = KeptCheckpoint(
            checkpoint: lie, note: try lie.signed(with: fixture.serving).encoded, atMilliseconds: HubFixture.start)
        #expect(throws: TreeView.Contradiction.self) {
            try check(try answer(treeSize: lie.size), known: kept)
        }
    }

    /// A centre that shows one device another log than the rest, and does not own up to it.
    private final class LyingLink: SyncLink {
        let hub: Hub
        let device: RegisteredDevice
        let serving: SigningKey
        var isLying = false
        var reconciliations = 0

        init(_ hub: Hub, _ device: RegisteredDevice, _ serving: SigningKey) {
            (self.hub, self.device, self.serving) = (hub, device, serving)
        }

        func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
            var response = try hub.sync(request, from: device)
            guard isLying else { return response }
            let honest = try Checkpoint(SignedNote(decoding: response.checkpoint), servingKey: serving.publicKey)
            let other = Checkpoint(origin: honest.origin, size: honest.size, root: MerkleHash.leaf([1]))
            response.checkpoint = try other.signed(with: serving).encoded
            response.consistency = []
            return response
        }

        func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
            reconciliations += 1
            var request = request
            request.checkpoint = ""
            return try hub.reconcile(request, from: device.key)
        }
    }

    @Test("a device keeps both signed checkpoints as proof, tells people, and goes on syncing")
    func proofAgainstTheCentre() throws {
        let link = LyingLink(fixture.hub, a.registered, fixture.serving)
        let sync = CellSync(
            store: a.store, identity: a.identity, centre: ServingKeys(fixture.serving.publicKey), link: link,
            clock: { HubFixture.start })
        try a.insert("x")
        _ = try sync.run()
        #expect(try a.store.checkpoints().count == 1)
        link.isLying = true
        #expect(throws: CellError(.contradicted, "", recovery: .stop)) { try sync.run() }
        #expect(link.reconciliations == 1, "it asked first whether the centre was restored")
        let kept = try a.store.checkpoints()
        #expect(kept.map(\.isContradicted) == [true, true])
        for one in kept {
            #expect(
                try KeptCheckpoint(note: one.note, keys: ServingKeys(fixture.serving.publicKey), atMilliseconds: 0)
                    .checkpoint
                    == one.checkpoint)
        }
        #expect(try a.store.notices().map(\.code) == ["contradiction"])
        link.isLying = false
        try a.insert("y")
        #expect(throws: CellError(.contradicted, "", recovery: .stop)) { try sync.run() }
        let report = try sync.run()
        #expect(report.refusals == [] && report.unequalChannels == [])
        #expect(try a.store.status().unsentBlocks == 0)
    }

    @Test("of one day the last checkpoint is kept, of each day one")
    func thinned() throws {
        for day in 1...3 {
            for number in 1...3 {
                try a.insert("row\(day)-\(number)")
                try a.syncWhole()
            }
            fixture.clock.advance(milliseconds: 86_400_000)
        }
        let kept = try a.store.checkpoints()
        #expect(kept.count == 3)
        #expect(kept.last?.checkpoint.size == (try fixture.log.read { try $0.size }))
    }

    @Test("a restored centre opens a new life where it is shown its own checkpoint, and says how far the last had come")
    func rewound() throws {
        try a.insert("x")
        try a.syncWhole()
        try fixture.backUpLog()
        try a.insert("y")
        try a.syncWhole()
        let known = try #require(try a.store.checkpoints().last)
        try fixture.restoreLog()
        let size = try fixture.log.read { try $0.size }
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(a.identity.replica.bytes)
        request.checkpoint = known.note
        let response = try fixture.hub.reconcile(request, from: a.identity.key.publicKey)
        #expect(!response.epoch.elementsEqual([UInt8](repeating: 7, count: 16)))
        let entry = try #require(try fixture.log.read { try $0.entries(afterPosition: size, limitBytes: 1).first })
        let signed = try WireCoding.decode(WireSignedStatement.self, from: entry.payload)
        let statement: WireRegistryStatement = try signed.verified(
            by: fixture.serving.publicKey, domain: .registryStatement)
        #expect(statement.epochOpened.treeSize == size && statement.epochOpened.epoch == response.epoch)
        #expect(try fixture.hub.reconcile(request, from: a.identity.key.publicKey).epoch == response.epoch)

        try a.syncWhole()
        #expect(try a.store.notices().map(\.code).contains("forgotten"))
        #expect(try a.store.checkpoints().count == 2)
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [])
    }

    @Test("one entry is proved by itself")
    func single() throws {
        for number in 1...7 { try a.insert("row\(number)", channel: "plan/\(number)") }
        let blocks = try a.blocks()
        try a.send(blocks)
        var request = WireProofRequest()
        request.protocol = Limits.protocolVersion
        request.of = .objectHash(Data(blocks[2].hash.bytes))
        request.treeSize = 3
        let response = try fixture.hub.proof(request, for: fixture["A"].registered)
        let checkpoint = try Checkpoint(
            SignedNote(decoding: response.checkpoint), servingKey: fixture.serving.publicKey)
        let proof = try EntryProof(response.proof)
        let path = response.inclusion.compactMap { Hash256(bytes: $0) }
        #expect(proof.object == blocks[2].hash && proof.isGood(by: ServingKeys(fixture.serving.publicKey)))
        #expect(checkpoint.holds(entry: proof.entryHash, at: response.position, path))
        #expect(!checkpoint.holds(entry: proof.entryHash, at: response.position + 1, path))
        #expect(response.consistency.count > 0)

        var cursor = WireCursor()
        (cursor.channel, cursor.sequence) = (proof.channel, proof.sequence)
        request.of = .entry(cursor)
        #expect(try fixture.hub.proof(request, for: fixture["A"].registered).proof == response.proof)
        request.of = .objectHash(Data(fixture.organisation.bytes))
        #expect(throws: ProtocolError(.notFound, "")) { try fixture.hub.proof(request, for: fixture["A"].registered) }
        request.of = .objectHash(Data([1]))
        #expect(throws: ProtocolError(.malformed, "")) { try fixture.hub.proof(request, for: fixture["A"].registered) }
        request.of = nil
        #expect(throws: ProtocolError(.malformed, "")) { try fixture.hub.proof(request, for: fixture["A"].registered) }
    }

    @Test("a log of a format before gets what it lacks when it is opened", arguments: [1, 2, 3, 4, 5])
    func upgrade(_ format: Int) throws {
        for number in 1...11 { try a.insert("row\(number)", channel: "plan/\(number)") }
        try a.syncWhole()
        let expected = try check(try answer()).checkpoint
        let path = fixture.directory.appending(path: "old.db").path
        try fixture.backUpLog()
        try FileManager.default.copyItem(atPath: fixture.directory.appending(path: "log.backup").path, toPath: path)
        try DurableDatabase(path: path, applicationID: 0x4B4C_4F47, format: 6, ddl: "").write {
            try $0.execute(
                """
                DROP TABLE log_awaited; DROP TABLE log_acknowledged; DROP INDEX log_entry_finality;
                DROP TABLE log_archive; DROP TABLE log_body; PRAGMA user_version=5
                """)
            guard format < 5 else { return }
            try $0.execute(
                """
                DROP TABLE log_erased; DROP TABLE log_clean; DROP TABLE log_confirmed; DROP INDEX log_entry_erasure;
                PRAGMA user_version=4
                """)
            guard format < 4 else { return }
            try $0.execute(
                "DROP TABLE registry_key; ALTER TABLE registry_device DROP COLUMN replaces; PRAGMA user_version=3")
            guard format < 3 else { return }
            try $0.execute(
                """
                ALTER TABLE log_entry RENAME TO newer;
                CREATE TABLE log_entry(
                    position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, channel TEXT NOT NULL,
                    sequence INTEGER NOT NULL, object_hash BLOB NOT NULL, accepted_at INTEGER NOT NULL,
                    entry_hash BLOB NOT NULL, epoch INTEGER NOT NULL, signature BLOB NOT NULL, sender BLOB NOT NULL,
                    replica BLOB, last_counter INTEGER, is_group_end INTEGER, payload BLOB NOT NULL,
                    UNIQUE(channel, sequence), UNIQUE(object_hash, kind, accepted_at)) STRICT;
                INSERT INTO log_entry SELECT position, kind, channel, sequence, object_hash, accepted_at, entry_hash,
                    epoch, signature, sender, replica, last_counter, is_group_end, payload FROM newer;
                DROP TABLE newer; DROP TABLE registry_role; DROP TABLE registry_grant; PRAGMA user_version=2
                """)
            guard format < 2 else { return }
            try $0.execute(
                """
                DROP TABLE log_node; DROP TABLE quarantine; ALTER TABLE log_entry DROP COLUMN is_group_end;
                ALTER TABLE registry_device DROP COLUMN revoked_at; PRAGMA user_version=1
                """)
        }
        try fixture.use(log: path)
        #expect(try check(try answer()).checkpoint.checkpoint == expected.checkpoint)
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [])
        try a.insert("more")
        try fixture.hub.grant("reader", to: "B", in: "org")
        try a.syncWhole()
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [])
    }
}
