import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Who may read and write what, and what becomes of what somebody was not allowed to write.
@Suite("Rights") struct RightsTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    private func settle(_ devices: [DeviceFixture]? = nil) throws {
        for _ in 1...2 { for device in devices ?? fixture.devices { try device.syncWhole() } }
    }

    /// All who may read all of it agree with the centre's own view, and everything that is kept is whole.
    private func expectAgreement(_ devices: [DeviceFixture]? = nil) throws {
        let view = try fixture.view()
        try view.catchUp()
        let expected = try view.store.settledDigests()
        for device in devices ?? fixture.devices {
            let digests = try device.store.settledDigests()
            #expect(!digests.isEmpty)
            for (channel, digest) in digests { #expect(digest == expected[channel], "\(device.name), \(channel)") }
            #expect(try device.store.verify(deep: true).problems == [])
        }
        #expect(try view.store.verify(deep: true).problems == [])
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [])
    }

    private func task(_ device: DeviceFixture, _ id: String) throws -> Value? {
        try device.store.rows("SELECT title FROM task WHERE id = ?", [.text(id)]).first?["title"]
    }

    // MARK: writing

    @Test("every table, role and operation", arguments: Self.roles)
    func matrix(_ role: RoleCase) throws {
        try b.insert("old")
        try b.insert("gone")
        try b.insert("task old", channel: "org")
        try b.insert("task gone", channel: "org")
        try settle()
        if let rights = role.rights { try fixture.hub.define(role: role.name, rights: rights) }
        try fixture.hub.grant(role.name, to: "A", in: "org")

        for (table, prefix) in [("note", ""), ("task", "task ")] {
            try a.store.write { transaction in
                let channel: [(String, Value)] = table == "task" ? [("channel", "org")] : []
                try transaction.insert(
                    table, [("id", .text(prefix + "new")), ("title", "by A")] + channel)
                try transaction.update(table, id: .text(prefix + "old"), [("title", "by A")])
                try transaction.delete(table, id: .text(prefix + "gone"))
            }
        }
        try settle()
        for (table, prefix) in [("note", ""), ("task", "task ")] {
            func title(_ id: String) throws -> Value? {
                try b.store.rows("SELECT title FROM \(table) WHERE id = ?", [.text(prefix + id)]).first?["title"]
            }
            let allowed = role.allowed(table)
            #expect(try (title("new") == "by A") == allowed.contains(.insert), "insert into \(table)")
            #expect(try (title("old") == "by A") == allowed.contains(.update), "update of \(table)")
            #expect(try (title("gone") == nil) == allowed.contains(.delete), "delete from \(table)")
        }
        let struck = ["note", "task"].reduce(0) { $0 + 3 - role.allowed($1).rawValue.nonzeroBitCount }
        #expect(try a.store.rejected().count == struck)
        try expectAgreement(role.reads ? nil : [b])
    }

    struct RoleCase: Sendable, CustomTestStringConvertible {
        let name: String
        let rights: [String: Operations]?
        let reads: Bool

        var testDescription: String { name }

        func allowed(_ table: String) -> Operations {
            guard let rights else { return name == "writer" ? .all : [] }
            return rights[table] ?? rights["*"] ?? []
        }
    }

    static let roles: [RoleCase] = {
        var cases = ["none", "reader", "writer"].map { RoleCase(name: $0, rights: nil, reads: $0 != "none") }
        for bits in UInt32(0)..<8 {
            let operations = Operations(rawValue: bits)
            let rest = Operations.all.subtracting(operations)
            cases.append(RoleCase(name: "note-\(bits)", rights: ["note": operations], reads: true))
            cases.append(RoleCase(name: "both-\(bits)", rights: ["task": operations, "*": rest], reads: true))
        }
        return cases
    }()

    @Test("what was struck is taken out again at its writer, who keeps it with the reason")
    func takenBack() throws {
        try b.insert("row", "by B")
        try settle()
        try fixture.hub.grant("reader", to: "A", in: "org")
        try a.store.write(officer: "minh") { try $0.update("note", id: "row", [("title", "by A")]) }
        try a.insert("new", "by A")
        #expect(try a.title("row") == "by A", "until the centre has seen it")
        try settle()
        #expect(try a.title("row") == "by B" && a.title("new") == nil)
        let rejected = try a.store.rejected()
        #expect(rejected.map(\.kind) == [.update, .insert] && rejected.map(\.id) == ["row", "new"])
        #expect(rejected[0].values == ["title": "by A"] && rejected[0].officer == "minh")
        #expect(rejected[0].code == "notGranted" && rejected[0].message.contains("org"))
        #expect(try a.store.notices().map(\.code) == ["rejected", "rejected"], "two blocks: two officers")
        #expect(try a.store.status().unsentBlocks == 0)
        try expectAgreement()

        try a.syncWhole()
        #expect(try a.store.rejected().count == 2, "told once")
        #expect(try a.store.forgetRejected { $0.id == "row" } == 1)
        #expect(try a.store.rejected().map(\.id) == ["new"])
        try fixture.hub.grant("none", to: "A", in: "org")
        try a.syncWhole()
        try fixture.hub.grant("reader", to: "A", in: "org")
        try settle()
        #expect(try a.store.rejected().map(\.id) == ["new"], "what was dealt with does not come back with its block")
    }

    @Test("whoever names a struck change names what that had named, however many of them stand in between")
    func transitive() throws {
        try b.insert("row", "by B")
        try settle()
        try fixture.hub.grant("reader", to: "A", in: "org")
        for title in ["struck", "struck again"] {
            try a.update("row", title)
            _ = try a.blocks()
        }
        let struck = try a.blocks()
        try a.send(struck)
        try fixture.hub.grant("writer", to: "A", in: "org")
        try a.update("row", "allowed")
        try settle()
        #expect(try b.title("row") == "allowed" && b.store.conflicts().isEmpty, "B's was seen by whoever wrote it")
        #expect(try a.store.rejected().count == 2 && a.store.conflicts().isEmpty)
        try expectAgreement()
    }

    @Test("a struck delete and a struck insert over a tombstone leave the row as it was")
    func deletes() throws {
        try b.insert("kept", "by B")
        try b.insert("gone", "by B")
        try settle()
        try b.store.write { try $0.delete("note", id: "gone") }
        try settle()
        try fixture.hub.grant("reader", to: "A", in: "org")
        try a.store.write { transaction in
            try transaction.delete("note", id: "kept")
            try transaction.insert("note", [("id", "gone"), ("title", "again")])
        }
        try settle()
        for device in [a, b] { #expect(try device.title("kept") == "by B" && device.title("gone") == nil) }
        try expectAgreement()
    }

    @Test("who had merged a change before its ruling came makes the row anew, with what was written over it since")
    func lateRuling() throws {
        try b.insert("row", "by B")
        try b.insert("other", "by B")
        try settle()
        try fixture.hub.grant("reader", to: "A", in: "org")
        try a.update("row", "struck")
        try a.update("other", "struck")
        let blocks = try a.blocks()
        let registry = RegistryFact.replica(a.identity.replica, device: a.identity.key.publicKey)
        let items = blocks.map { Delivery.Item(hash: $0.hash, block: $0, acceptance: nil) }
        _ = try b.store.take(Delivery(items: items, registry: [registry]), as: b.identity)
        #expect(try b.title("row") == "struck", "from a stick, without the centre's word")
        try b.update("row", "by B again")
        try settle()
        #expect(try b.title("row") == "by B again" && b.title("other") == "by B")
        #expect(try a.title("row") == "by B again" && b.store.conflicts().isEmpty)
        try expectAgreement()
    }

    @Test("a receipt may come before the registry says whose the replica is")
    func receiptBeforeRegistry() throws {
        try fixture.hub.grant("reader", to: "A", in: "org")
        try a.insert("row", "by A")
        let receipt = try a.send(a.blocks())[0]
        let proof = try EntryProof(receipt.proof)
        #expect(try a.store.deviceKey(of: a.identity.replica) == nil)
        let item = Delivery.Item(hash: proof.object, block: nil, acceptance: try .init(proof))
        #expect(try a.store.take(Delivery(items: [item]), as: a.identity).rejectedChanges == 1)
        #expect(try a.store.rejected().map(\.id) == ["row"])
    }

    @Test(
        "what changed a row whose insert was struck is kept for its writer, and is replaced when somebody enters the row"
    )
    func orphans() throws {
        try fixture.hub.define(role: "editors", rights: ["note": .update])
        try fixture.hub.grant("editors", to: "A", in: "org")
        try a.insert("row", "first")
        _ = try a.blocks()
        try a.update("row", "second")
        try settle()
        #expect(try a.title("row") == nil && b.title("row") == nil)
        let rejected = try a.store.rejected()
        #expect(
            rejected.map(\.kind) == [.insert, .update] && rejected.map(\.code) == ["tableNotGranted", "rowStruck"])
        #expect(rejected[1].values == ["title": "second"])
        try b.insert("row", "by B")
        try settle()
        #expect(try a.title("row") == "by B" && a.store.conflicts().isEmpty)
        try expectAgreement()
    }

    @Test("a restored writer keeps changes of a struck row, too, that come back after the ruling")
    func orphansRegained() throws {
        try fixture.hub.define(role: "editors", rights: ["note": .update])
        try fixture.hub.grant("editors", to: "A", in: "org")
        try a.insert("row", "first")
        _ = try a.blocks()
        let backup = try a.copyOfStore()
        try a.update("row", "second")
        try settle()
        let restored = a.with(backup)
        try restored.syncWhole()
        let rejected = try restored.store.rejected()
        #expect(
            rejected.map(\.kind) == [.insert, .update] && rejected.map(\.code) == ["tableNotGranted", "rowStruck"])
        #expect(rejected.last?.values == ["title": "second"])
    }

    @Test("a ruling on a block of another channel is refused")
    func otherChannel() throws {
        try b.insert("x", channel: "plan/1")
        let block = try b.blocks()[0]
        try settle()
        let ruling = try Ruling(struck: ChangeSet([0]), code: "notGranted", message: "no").encoded
        let proof = EntryProof(
            epoch: try fixture.epoch, kind: .ruling, channel: "plan/2", sequence: 1, object: block.hash,
            acceptedAtMilliseconds: HubFixture.start, previous: .zero, signature: [UInt8](repeating: 0, count: 64),
            ruling: ruling)
        let item = Delivery.Item(hash: block.hash, block: nil, acceptance: try .init(proof))
        #expect(throws: StoreError.self) { try a.store.take(Delivery(items: [item]), as: a.identity) }
        #expect(try task(a, "x") != nil)
    }

    @Test("a row that is struck in one channel uncovers the one of the same id in another")
    func sameIDElsewhere() throws {
        try b.insert("x", "by B", channel: "z")
        try settle()
        try fixture.hub.grant("reader", to: "A", in: "a")
        let other = try fixture.device("A")
        try fixture.enrol(other, code: fixture.hub.issueCode(cell: "A"))
        try other.insert("x", "by A", channel: "a")
        try other.syncWhole()
        try settle()
        #expect(try task(other, "x") == "by B" && task(b, "x") == "by B")
        #expect(try other.store.verify(deep: true).problems == [])
    }

    // MARK: reading

    @Test("a cell gets only what it may read, and all of it once it may")
    func reading() throws {
        try fixture.hub.grant("none", to: "*", in: "plan/*")
        try fixture.hub.grant("writer", to: "A", in: "plan/1")
        try a.insert("1", channel: "plan/1")
        try a.insert("2", channel: "plan/2")
        try settle()
        #expect(try task(b, "1") == nil && b.store.cursors().map(\.channel) == [ChannelName.registry])
        #expect(try task(a, "2") == nil && a.store.rejected().map(\.channel) == ["plan/2"])
        let answer = try fixture.entries(for: b)
        #expect(Set(answer.heads.map(\.channel) + answer.entries.map(\.channel)) == [ChannelName.registry])

        try fixture.hub.grant("reader", to: "B", in: "plan/1")
        try settle()
        #expect(try task(b, "1") != nil)
        #expect(try fixture.hub.channels().map(\.name) == ["plan/1", "plan/2"], "what was struck is in the log, too")
        try expectAgreement()
    }

    @Test("a proof is for those who may read the entry, and for its writer")
    func proofs() throws {
        try a.insert("1", channel: "plan/1")
        let block = try a.blocks()[0]
        try settle()
        try fixture.hub.grant("none", to: "*", in: "plan/1")
        var request = WireProofRequest()
        request.protocol = Limits.protocolVersion
        request.objectHash = Data(block.hash.bytes)
        #expect(try fixture.hub.proof(request, for: a.registered).position > 0)
        #expect(throws: ProtocolError(.notFound, "")) { try fixture.hub.proof(request, for: b.registered) }
    }

    @Test("a cell that is taken out of a channel sends what it has, and removes the rest; it may come back")
    func leaving() throws {
        try a.insert("1", "by A", channel: "plan/1")
        try a.insert("2", "by A", channel: "plan/2")
        try settle()
        try b.insert("3", "by B", channel: "plan/1")
        let replica = try b.store.outbox(as: b.identity, limitBytes: 1).replica
        try fixture.hub.grant("none", to: "B", in: "plan/1")
        #expect(try task(b, "1") != nil, "until it hears of it")
        try settle()
        #expect(try task(b, "1") == nil && task(b, "3") == nil && task(b, "2") == "by A")
        #expect(try b.store.rejected().map(\.id) == ["3"], "nothing is lost")
        #expect(try b.store.rejected().first?.values["title"] == "by B")
        #expect(try Set(b.store.notices().map(\.code)) == ["rejected", "left"])
        #expect(try b.store.outbox(as: b.identity, limitBytes: 1).replica != replica)
        #expect(try b.store.cursors().map(\.channel).contains("plan/1") == false)
        try expectAgreement()

        try b.insert("4", "by B", channel: "plan/1")
        try settle()
        #expect(try task(b, "4") == nil && b.store.rejected().count == 2, "nor does it write there")

        try fixture.hub.grant("writer", to: "B", in: "plan/1")
        try settle()
        #expect(try task(b, "1") == "by A" && task(b, "3") == nil)
        try b.insert("5", "by B", channel: "plan/1")
        try settle()
        #expect(try task(a, "5") == "by B")
        try expectAgreement()
    }

    @Test("a cell stays in a channel until all that it wrote there is sent")
    func leavingInPages() throws {
        try settle()
        try fixture.hub.grant("none", to: "B", in: "plan/1")
        for officer in ["x", "y", "z"] {
            try b.store.write(officer: officer) {
                try $0.insert("task", [("id", .text(officer)), ("channel", "plan/1"), ("title", "t")])
            }
        }
        let report = try b.syncWhole(upLimitBytes: 1)
        #expect(report.sentBlocks == 3 && report.rejectedChanges == 3 && report.leftChannels == ["plan/1"])
        #expect(try b.store.rejected().count == 3)
        try expectAgreement()
    }

    // MARK: statements

    @Test(
        "of several grants the most exact counts: the channel's name before what names begin with, the cell before all")
    func exactness() {
        var rights = Rights()
        #expect(rights.role(of: "A", in: "x") == .writer, "nothing was granted")
        rights.add(Grant(cell: "*", channel: "*", role: "none"))
        rights.add(Grant(cell: "A", channel: "plan/*", role: "writer"))
        rights.add(Grant(cell: "*", channel: "plan/KH1", role: "reader"))
        rights.add(Grant(cell: "B", channel: "plan/K*", role: "writer"))
        rights.add(Grant(cell: "*", channel: "plan/K*", role: "reader"))
        #expect(rights.role(of: "A", in: "org").name == "none")
        #expect(rights.role(of: "A", in: "plan/KH1").name == "reader")
        #expect(rights.role(of: "A", in: "plan/KH2").name == "reader")
        #expect(rights.role(of: "A", in: "plan/X").name == "writer")
        #expect(rights.role(of: "B", in: "plan/KH2").name == "writer")
        #expect(rights.role(of: "", in: "org") == .writer, "the centre itself")
        #expect(rights.role(of: "A", in: ChannelName.registry).reads)
        rights.add(Grant(cell: "A", channel: "org", role: "undefined"))
        #expect(rights.role(of: "A", in: "org") == .none)
    }

    @Test("what nobody can be granted is refused in words")
    func badStatements() throws {
        #expect(throws: HubError(.cellUnknown, "")) { try fixture.hub.grant("writer", to: "X", in: "org") }
        #expect(throws: HubError(.roleUnknown, "")) { try fixture.hub.grant("boss", to: "A", in: "org") }
        for channel in ["", "kenh/registry", "kênh", "kenh/*"] {
            #expect(throws: HubError(.badChannel, "")) { try fixture.hub.grant("writer", to: "A", in: channel) }
        }
        for role in ["writer", "none", "", "Boss", "a b"] {
            #expect(throws: HubError(.badRole, "")) { try fixture.hub.define(role: role, rights: [:]) }
        }
        let before = try fixture.heads
        try fixture.hub.grant("writer", to: "A", in: "org")
        try fixture.hub.grant("writer", to: "A", in: "org")
        #expect(try fixture.heads.map(\.sequence) == before.map { $0.sequence + 1 }, "said once")
    }

    @Test("a statement that comes back after a restore is not newer than what was stated since")
    func olderStatement() throws {
        try settle()
        try fixture.backUpLog()
        fixture.clock.advance(milliseconds: 1000)
        try fixture.hub.grant("none", to: "A", in: "org")
        try b.syncWhole()
        try fixture.restoreLog()
        fixture.clock.advance(milliseconds: 1000)
        try fixture.hub.grant("reader", to: "A", in: "org")
        try settle()
        #expect(try fixture.hub.grants().map(\.role) == ["reader"])
        #expect(
            try fixture.log.read { try $0.entries(afterPosition: 0, limitBytes: 1 << 20) }
                .count { $0.kind == .registry } > 8, "both are in the log")
        try a.insert("x")
        try settle()
        #expect(try a.store.rejected().count == 1 && b.title("x") == nil)
        try expectAgreement()
    }

    @Test("a ruling is final: after a restore it comes back as it was, though the rights are others now")
    func finalRuling() throws {
        try b.insert("row", "by B")
        try fixture.hub.grant("reader", to: "A", in: "org")
        try settle()
        try fixture.backUpLog()
        fixture.clock.advance(milliseconds: 1000)
        try a.update("row", "by A")
        let block = try a.blocks()[0]
        try settle()
        let before = try #require(try fixture.acceptance(of: block))
        #expect(before.kind == .ruling)
        try fixture.restoreLog()
        fixture.clock.advance(milliseconds: 1000)
        try fixture.hub.grant("writer", to: "A", in: "org")
        try settle()
        let after = try #require(try fixture.acceptance(of: block))
        #expect(after.ruling == before.ruling && after.acceptedAtMilliseconds == before.acceptedAtMilliseconds)
        #expect(try a.title("row") == "by B" && b.title("row") == "by B")
        try expectAgreement()
    }

    @Test("whatever either of two lives of the log struck stays struck")
    func joinedRulings() throws {
        try b.insert("row", "by B")
        try settle()
        try fixture.backUpLog()
        fixture.clock.advance(milliseconds: 1000)
        try fixture.hub.grant("reader", to: "A", in: "org")
        try a.update("row", "by A")
        let block = try a.blocks()[0]
        try b.send([block])
        let ruled = try #require(try fixture.acceptance(of: block))
        let other = try fixture.device("B")
        try fixture.enrol(other, code: fixture.hub.issueCode(cell: "B"))
        try other.syncWhole()

        try fixture.restoreLog()
        fixture.clock.advance(milliseconds: 1000)
        try a.syncWhole()
        #expect(try fixture.acceptance(of: block)?.kind == .block, "nobody remembers the grant")
        try b.syncWhole()
        #expect(try b.title("row") == "by A")
        try other.syncWhole()
        let joined = try #require(try fixture.acceptance(of: block))
        #expect(try audited().problems == [])
        #expect(joined.ruling == ruled.ruling && joined.acceptedAtMilliseconds == ruled.acceptedAtMilliseconds)
        try settle([a, b, other])
        for device in [a, b, other] { #expect(try device.title("row") == "by B") }
        #expect(try a.store.rejected().map(\.id) == ["row"])
        try expectAgreement([a, b, other])
    }

    // MARK: the auditor

    private func audited() throws -> AuditReport {
        let path = fixture.directory.appending(path: "log.audit")
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: fixture.hub, checkpoints: []).run { bytes += $0 }
        try Data(bytes).write(to: path)
        return try AuditVerifier().verify(try FileHandle(forReadingFrom: path))
    }

    @Test(
        "whoever changes the centre's tables, so that it judges otherwise than it stated, is found out",
        arguments: [
            ("DELETE FROM registry_grant WHERE cell = 'A'", "not allowed to make"),
            ("INSERT INTO registry_grant VALUES('B', 'org', 'none', 0)", "was allowed to make"),
        ])
    func alteredRights(_ sql: String, _ words: String) throws {
        try fixture.hub.grant("reader", to: "A", in: "org")
        try DurableDatabase(
            path: fixture.directory.appending(path: "log.db").path, applicationID: 0x4B4C_4F47, format: 6, ddl: ""
        ).write { try $0.execute(sql) }
        try fixture.use(log: fixture.directory.appending(path: "log.db").path)
        for device in [a, b] {
            try device.insert("by \(device.name)")
            try device.syncWhole()
        }
        let problems = try audited().problems
        #expect(problems.count == 1 && problems[0].contains(words), "\(problems)")
    }

    @Test("an audit file shows what was granted and struck, and is good")
    func audit() throws {
        try fixture.hub.define(role: "editors", rights: ["note": .update])
        try fixture.hub.grant("editors", to: "A", in: "org")
        try b.insert("row")
        try settle()
        try a.update("row", "by A")
        try a.insert("new")
        try settle()
        let report = try audited()
        #expect(report.problems == [])
        #expect(report.text.contains("A is editors in org"))
        #expect(report.text.contains("1 of the changes 1 to 2 of A in org"))
    }
}
