import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import Testing

/// What a cell makes of a centre, or of somebody in its place, that does not tell the truth.
@Suite struct LogFollowerTests {
    private let fixture: HubFixture
    private let response: WireSyncResponse
    private var reader: DeviceFixture { fixture["B"] }
    private var epoch: [UInt8] { Array(response.epoch) }
    /// Where the log's blocks begin in the response.
    private let firstBlock: Int

    init() throws {
        fixture = try HubFixture()
        for number in 1...3 {
            try fixture["A"].insert("row\(number)")
            try fixture["A"].send(fixture["A"].blocks())
        }
        response = try fixture.entries(for: fixture["B"])
        firstBlock = response.entries.firstIndex { $0.kind == .block } ?? 0
    }

    private func refusal(_ change: (inout [WireLogEntry]) throws -> Void) throws -> ProtocolError.Code? {
        var entries = response.entries
        try change(&entries)
        var follower = try reader.follower()
        do {
            _ = try follower.follow(entries, epoch: epoch)
            try follower.agree(with: response.heads)
            return nil
        } catch { return (error as? ProtocolError)?.code }
    }

    @Test("what the centre really sent is taken, and the cursors stand where its heads are")
    func truth() throws {
        var follower = try reader.follower()
        let delivery = try follower.follow(response.entries, epoch: epoch)
        try follower.agree(with: response.heads)
        #expect(delivery.items.count == 3 && delivery.registry.count == 6)
        #expect(Set(delivery.cursors.map(\.logHash.bytes)) == Set(response.heads.map { Array($0.logHash) }))
        #expect(follower.logHash(of: "org")?.sequence == 3)
    }

    @Test("a channel that was written here and never exchanged follows the log from its beginning")
    func writtenBefore() throws {
        try reader.insert("own")
        _ = try reader.blocks()
        #expect(try reader.store.cursors().contains { $0.channel == "org" && $0.sequence == 0 })
        #expect(try refusal { _ in } == nil)
    }

    @Test("no entry can be altered, left out, repeated, put in or exchanged")
    func altered() throws {
        let at = firstBlock
        #expect(try refusal { $0[at].acceptedAtMs += 1 } == .badSignature)
        #expect(try refusal { $0[$0.count - 1].signature[0] ^= 1 } == .badSignature)
        #expect(try refusal { $0[$0.count - 1].epoch = Data(repeating: 1, count: 16) } == .badSignature)
        #expect(try refusal { $0[at].objectHash[$0[at].objectHash.startIndex] ^= 1 } == .brokenLink)
        #expect(try refusal { $0[at].objectHash = Data() } == .malformed)
        #expect(try refusal { $0[at].sequence += 1 } == .brokenLink)
        #expect(try refusal { $0[at].channel = "plan/1" } == .brokenLink)
        #expect(try refusal { $0[at].channel = "kế" } == .malformed)
        #expect(try refusal { $0[at].kind = .unspecified } == .unsupportedVersion)
        #expect(try refusal { $0[at].kind = .registry } == .brokenLink)
        #expect(try refusal { $0.remove(at: at) } == .brokenLink)
        #expect(try refusal { $0.remove(at: at + 1) } == .brokenLink)
        #expect(try refusal { $0.removeFirst() } == .brokenLink)
        #expect(try refusal { $0.insert($0[at], at: at) } == .brokenLink)
        #expect(try refusal { $0.swapAt(at, at + 1) } == .brokenLink)
        #expect(
            try refusal { entries in
                entries.swapAt(at, at + 1)
                (entries[at].sequence, entries[at + 1].sequence) = (1, 2)
            } == .badSignature)
        #expect(try refusal { $0[at].clearBlock() } == nil, "its writer gets it so; the store says if it lacks it")
    }

    @Test("a block in an entry is checked like any other")
    func blocks() throws {
        let at = firstBlock
        #expect(try refusal { $0[at].block = $0[at + 1].block } == .brokenLink)
        #expect(try refusal { $0[at].block.header[$0[at].block.header.endIndex - 1] ^= 1 } != nil)
        #expect(try refusal { $0[at].block.body[$0[at].block.body.startIndex] ^= 1 } == .badDigest)
        #expect(
            try refusal { $0[at].block.deviceSignature[$0[at].block.deviceSignature.startIndex] ^= 1 } == .badSignature)
    }

    @Test("a writer whom the registry does not name is unknown")
    func unknownWriter() throws {
        let registry = response.entries.filter { $0.kind == .registry }
        let replicaOfA = try #require(
            registry.lastIndex { entry in
                let statement = try? WireCoding.decode(
                    WireRegistryStatement.self, from: Array(entry.registry.statement))
                return statement?.replicaAdded.replica == Data(fixture["A"].identity.replica.bytes)
            })
        #expect(
            try refusal { entries in
                entries.removeAll { $0.kind == .registry && $0.sequence > UInt64(replicaOfA) }
            } == .unknownDevice)
    }

    @Test("a registry entry that the centre did not sign is refused")
    func forgedRegistry() throws {
        let thief = try SigningKey(bytes: [UInt8](repeating: 5, count: 32))
        var statement = WireRegistryStatement()
        statement.organisation = Data(fixture.organisation.bytes)
        statement.replicaAdded.replica = Data(fixture["A"].identity.replica.bytes)
        statement.replicaAdded.deviceKey = Data(thief.publicKey.bytes)
        #expect(
            try refusal { entries in
                entries[0].registry = try WireSignedStatement(
                    signing: statement, with: thief, domain: .registryStatement)
                entries[0].objectHash = Self.hash(entries[0].registry)
            } == .badSignature)
        #expect(
            try refusal { entries in
                entries[0].registry = try WireSignedStatement(
                    signing: statement, with: fixture.serving, domain: .registryStatement)
            } == .brokenLink, "another statement than the entry names")
        #expect(
            try refusal { entries in
                entries[0].registry = try WireSignedStatement(
                    signing: statement, with: fixture.serving, domain: .servingCertificate)
                entries[0].objectHash = Self.hash(entries[0].registry)
            } == .badSignature, "signed for another purpose")
        #expect(
            try refusal { entries in
                entries[0].registry = try WireSignedStatement(
                    signing: statement, with: fixture.serving, domain: .registryStatement)
                entries[0].objectHash = Self.hash(entries[0].registry)
            } != nil, "signed by the centre, and not what its log has")
    }

    @Test("a registry entry for another organisation, or in a channel for rows, is refused")
    func misplacedRegistry() throws {
        var statement = WireRegistryStatement()
        statement.organisation = Data(repeating: 1, count: 32)
        statement.cellAdded.code = "X"
        let signed = try WireSignedStatement(signing: statement, with: fixture.serving, domain: .registryStatement)
        #expect(
            try refusal { entries in
                entries[0].registry = signed
                entries[0].objectHash = Self.hash(signed)
            } == .wrongOrganisation)
        let at = firstBlock
        #expect(
            try refusal { entries in
                entries[at].kind = .registry
                entries[at].registry = entries[0].registry
                entries[at].objectHash = entries[0].objectHash
            } == .brokenLink)
    }

    private static func hash(_ statement: WireSignedStatement) -> Data {
        Data(Hashing.sha256(domain: .registry, Array(statement.statement)).bytes)
    }

    @Test("another epoch is another log")
    func otherEpoch() throws {
        try reader.sync()
        try fixture["A"].insert("more")
        try fixture["A"].send(fixture["A"].blocks())
        let more = try fixture.hub.sync(reader.request(cursors: reader.store.cursors()), from: reader.registered)
        var follower = try reader.follower()
        #expect(throws: ProtocolError(.brokenLink, "")) {
            try follower.follow(more.entries, epoch: [UInt8](repeating: 1, count: 16))
        }
        #expect(try follower.follow(more.entries, epoch: epoch).items.count == 1)
    }

    @Test("heads that lie behind what was followed, or end otherwise, are refused")
    func heads() throws {
        var follower = try reader.follower()
        _ = try follower.follow(response.entries, epoch: epoch)
        var heads = response.heads
        heads[1].sequence -= 1
        #expect(throws: ProtocolError(.brokenLink, "")) { try follower.agree(with: heads) }
        heads = response.heads
        heads[1].logHash = Data(repeating: 0, count: 32)
        #expect(throws: ProtocolError(.brokenLink, "")) { try follower.agree(with: heads) }
        heads[1].sequence += 1
        try follower.agree(with: heads)
    }

    @Test("a store that lacks a block of its own which the centre has says that it has to sync anew")
    func missingOwn() throws {
        var entries = response.entries
        entries[firstBlock].clearBlock()
        var follower = try reader.follower()
        let delivery = try follower.follow(entries, epoch: epoch)
        let error = #expect(throws: StoreError.self) { try reader.store.take(delivery, as: reader.identity) }
        #expect(error?.recovery == .resync)
        #expect(try reader.store.cursors().allSatisfy { $0.sequence == 0 }, "nothing of it was taken")
    }
}
