import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// What a log has to do, on each database; another one has a line more in ``Kind``.
@Suite("A log of the centre's") final class HubLogTests {
    enum Kind: String, CaseIterable { case sqlite, memory }

    private static let epoch = [UInt8](repeating: 7, count: 16)
    private let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-log-\(UUID().uuidString)")
    private var shelf: ArchiveShelf { ArchiveShelf(folder.appending(path: "archives")) }

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func log(_ kind: Kind) throws -> any HubLog {
        switch kind {
        case .sqlite:
            try SQLiteLog(
                path: folder.appending(path: "log.db").path, newEpoch: Self.epoch, openedAtMilliseconds: 1,
                archives: shelf)
        case .memory: MemoryLog(newEpoch: Self.epoch, archives: shelf)
        }
    }

    private func hash(_ number: UInt8) -> Hash256 { Hashing.sha256(domain: .entry, [number]) }

    @discardableResult
    private func append(
        _ number: UInt8, to channel: String = "a", at time: Int64 = 1, payload: [UInt8] = [], ruling: [UInt8] = [],
        kind: WireEntryKind = .registry, _ log: any HubTransaction
    ) throws -> EntryProof {
        let entry = NewEntry(
            kind: kind, channel: channel, object: hash(number), acceptedAtMilliseconds: time, payload: payload,
            ruling: ruling)
        return try log.append(entry) { epoch, hash in Array(epoch + hash.bytes) }
    }

    private func ask(_ log: any HubLog, _ body: (any HubTransaction) throws -> Void) throws { try log.read(body) }

    private func expect<T: Equatable>(_ found: T, _ wanted: T, at place: SourceLocation = #_sourceLocation) {
        #expect(found == wanted, sourceLocation: place)
    }

    private struct Stop: Error {}

    @Test("chains its entries, and signs each for its life", arguments: Kind.allCases)
    func chains(_ kind: Kind) throws {
        let log = try log(kind)
        let (first, second, other) = try log.write {
            (try append(1, $0), try append(2, $0), try append(3, to: "b", $0))
        }
        #expect(first.previous == .zero)
        #expect(second.previous == first.entryHash)
        #expect(other.previous == .zero)
        #expect([first.sequence, second.sequence, other.sequence] == [1, 2, 1])
        #expect(second.signature == Self.epoch + second.entryHash.bytes)
        try ask(log) { log in
            expect(try log.heads().map(\.entryHash), [second.entryHash, other.entryHash])
            expect(try log.entry(of: hash(2))?.proof, second)
            expect(try log.entry(channel: "b", sequence: 1)?.position, 3)
            expect(try log.entryHash(channel: "a", sequence: 3), nil)
            let leaves = [first, second, other].map { MerkleHash.leaf($0.entryHash.bytes) }
            let root = MerkleHash.node(MerkleHash.node(leaves[0], leaves[1]), leaves[2])
            expect(try MerkleTree(log).root(size: 3), root)
        }
    }

    @Test("keeps nothing of a transaction that fails", arguments: Kind.allCases)
    func atomic(_ kind: Kind) throws {
        let log = try log(kind)
        try log.write { _ = try append(1, $0) }
        #expect(throws: Stop.self) {
            try log.write { log in
                try append(2, log)
                try log.addCell(code: "C", name: "Chi bộ")
                try log.markErased([])
                try log.open(epoch: [UInt8](repeating: 8, count: 16), atMilliseconds: 2)
                throw Stop()
            }
        }
        try ask(log) { log in
            expect(try log.size, 1)
            expect(try log.heads().map(\.sequence), [1])
            expect(try log.cellName("C"), nil)
            expect(try log.isUnclean, false)
            expect(try log.epoch, Self.epoch)
        }
        let next = try log.write { try append(2, $0) }
        #expect(next.sequence == 2)
    }

    @Test("has an entry once; a ruling that strikes something else is another one", arguments: Kind.allCases)
    func once(_ kind: Kind) throws {
        let log = try log(kind)
        try log.write { log in
            try append(1, ruling: [1], kind: .ruling, log)
            try append(1, ruling: [2], kind: .ruling, log)
        }
        #expect(throws: (any Error).self) {
            try log.write { _ = try append(1, ruling: [2], kind: .ruling, $0) }
        }
        expect(try log.read { try $0.acceptance(of: hash(1))?.ruling }, [2])
    }

    @Test("reads in pages: at least one entry, and no more than the limit", arguments: Kind.allCases)
    func pages(_ kind: Kind) throws {
        let log = try log(kind)
        try log.write { log in
            for number in 1...4 {
                try append(UInt8(number), at: Int64(number), payload: .init(repeating: 0, count: 10), log)
            }
        }
        try ask(log) { log in
            func page(_ limit: Int, after: UInt64 = 0) throws -> [UInt64] {
                try log.entries(channel: "a", after: after, limitBytes: limit).map(\.sequence)
            }
            expect(try page(0), [1])
            expect(try page(20), [1, 2])
            expect(try page(29, after: 1), [2, 3])
            expect(try log.entries(afterPosition: 3, limitBytes: 99).map(\.position), [4])
            expect(try log.payloadBytes(of: "a", after: 1, upTo: 3), 20)
            expect(try log.lastSequence(of: "a", acceptedBefore: 3), 2)
            expect(try log.lastSequence(of: "a", acceptedBefore: 99), 4)
        }
    }

    @Test("finds channels by their names and by what these begin with", arguments: Kind.allCases)
    func names(_ kind: Kind) throws {
        let log = try log(kind)
        let names = ["A", "a", "a/b", "a/~", "ab", "b"]
        try log.write { log in
            for (number, name) in names.reversed().enumerated() { try append(UInt8(number), to: name, log) }
        }
        try ask(log) { log in
            expect(try log.heads().map(\.channel), names)
            expect(try log.heads(among: ["a/*", "b", "a/b", "none"]).map(\.channel), ["a/b", "a/~", "b"])
            expect(try log.heads(among: ["a*"]).map(\.channel), ["a", "a/b", "a/~", "ab"])
        }
    }

    @Test("holds what was stated later, whatever comes back after a restore", arguments: Kind.allCases)
    func stated(_ kind: Kind) throws {
        let log = try log(kind)
        try log.write { log in
            for time in [2, 3, 1] as [Int64] {
                try log.addRole(Role(name: "r", rights: ["t\(time)": .insert], statedAtMilliseconds: time))
                try log.addGrant(Grant(cell: "C", channel: "a", role: "r\(time)", statedAtMilliseconds: time))
            }
            try log.addGrant(Grant(cell: Grant.everyCell, channel: "b", role: "r"))
            try log.addGrant(Grant(cell: "D", channel: "a", role: "r"))
        }
        try ask(log) { log in
            expect(try log.roles().map { Array($0.rights.keys) }, [["t3"]])
            expect(try log.grants(of: "C").map(\.role), ["r3", "r"])
            expect(try log.grants(of: nil).map(\.cell), ["C", "D", Grant.everyCell])
        }
    }

    @Test("is unclean from an erasure until it is scrubbed", arguments: Kind.allCases)
    func unclean(_ kind: Kind) throws {
        let log = try log(kind)
        let name = Erasure.Name(block: hash(1), place: 2, column: "tên")
        try log.write { try $0.markErased([name]) }
        #expect(try log.read { try $0.isUnclean })
        try log.scrub()
        #expect(try log.read { try !$0.isUnclean })
        expect(try log.read { try $0.erased(of: hash(1)) }, [name])
        expect(try log.read { try $0.erased(of: hash(2)) }, [])
    }

    @Test("knows each of its lives, and begins none twice", arguments: Kind.allCases)
    func lives(_ kind: Kind) throws {
        let log = try log(kind)
        let second = [UInt8](repeating: 8, count: 16)
        try log.write { try $0.open(epoch: second, atMilliseconds: 2) }
        let entry = try log.write { try append(1, $0) }
        #expect(entry.epoch == second)
        #expect(try log.read { try $0.knows(epoch: Self.epoch) && $0.knows(epoch: second) && !$0.knows(epoch: []) })
        #expect(throws: (any Error).self) { try log.write { try $0.open(epoch: Self.epoch, atMilliseconds: 3) } }
    }

    @Test("answers in random histories as the model does", arguments: 0..<24 as Range<UInt64>)
    func model(_ seed: UInt64) throws {
        var conformance = try LogConformance(try log(.sqlite), shelf: shelf, seed: seed)
        try conformance.run(transactions: 60)
    }

    @Test("is found out where it does not")
    func deviating() throws {
        let log = try PairedLog(try log(.sqlite))
        let other = try SQLiteLog(
            path: folder.appending(path: "log.db").path, newEpoch: Self.epoch, openedAtMilliseconds: 1)
        try other.write { try $0.addCell(code: "C", name: "behind its back") }
        #expect(throws: LogDivergence.self) { try log.read { _ = try $0.cellName("C") } }
        #expect(throws: LogDivergence.self) { try log.write { try $0.addCell(code: "C", name: "x") } }
    }
}
