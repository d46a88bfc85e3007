import Foundation
import KenhProtocol
import KenhStore

/// A result that is not what the step is for; the figures of such a run mean nothing.
struct WrongResult: Error, CustomStringConvertible {
    let description: String

    static func present<T>(_ value: T?, _ what: String) throws -> T {
        guard let value else { throw WrongResult(description: "wrong result: there is not \(what)") }
        return value
    }

    static func check(_ isRight: Bool, _ what: String) throws {
        guard isRight else { throw WrongResult(description: "wrong result: \(what)") }
    }
}

/// One run of all steps, in files of its own.
final class Round {
    private let base: ItemRows
    private let updates: ItemRows
    private let edits: ItemRows
    private let folder: String
    private let profiled: Step?
    private let peer: SessionPeer
    private(set) var samples: [Sample] = []

    /// - Parameters:
    ///   - base, updates, edits: versions 0, 1 and 2 of the rows.
    ///   - folder: exists and is empty.
    ///   - profiled: the step that runs inside ``profiledPart(_:)``.
    init(base: ItemRows, updates: ItemRows, edits: ItemRows, folder: String, profiled: Step?) {
        (self.base, self.updates, self.edits, self.folder) = (base, updates, edits, folder)
        self.profiled = profiled
        peer = SessionPeer(base: base, updates: updates, edits: edits, folder: folder)
    }

    func run(_ wanted: Set<Step>) throws {
        let writer = try store("writer", number: 1)
        let plain = try plain(like: writer)
        try fanOut(wanted)
        try history(wanted)
        guard !wanted.isDisjoint(with: Step.ofOneStore) else { return try exchange(wanted) }
        let inserts = try capture(writer, plain)
        let changes = try captureUpdates(writer)
        try Verification.sameRows(writer.path, file("plain"))
        if !wanted.isDisjoint(with: [.mergeBase, .mergeAgain, .mergeUpdates]) {
            try merge(inserts, changes, of: writer)
        }
        if wanted.contains(.mergeConflicts) { try conflict(inserts, changes, of: writer) }
        if wanted.contains(.captureAutocommit) { try autocommit(like: writer) }
        try exchange(wanted)
    }

    private func file(_ name: String) -> String { "\(folder)/\(name).db" }

    private func store(_ name: String, number: UInt8) throws -> BenchStore {
        try BenchStore(file(name), number: number)
    }

    private func time(_ step: Step, rows: Int? = nil, _ body: () throws -> Void) throws {
        samples.append(
            try Sample(step, rows: rows ?? base.count) {
                guard step == profiled else { return try body() }
                try withoutActuallyEscaping(body) { try profiledPart([$0]) }
            })
    }

    private func time(_ part: SessionPeer.Part) throws {
        try time(part.step) { try part.run() }
        try part.check()
        samples += part.figures()
    }

    // MARK: steps

    /// The limit: the store's own DDL without its triggers.
    /// - Returns: the size of the file after the inserts.
    private func plain(like store: BenchStore) throws -> Int {
        let ddl = try store.ddl()
        let table = ItemTable(database: try RawDatabase(file("plain")))
        try table.database.execute(ddl)
        try peer.open(ddl)
        try time(.plainInsert) { try table.insert(base) }
        let bytes = try FileManager.default.attributesOfItem(atPath: file("plain"))[.size] as? Int ?? 0
        try time(.plainUpdate) { try table.update(updates) }
        return bytes
    }

    private func capture(_ writer: BenchStore, _ plainBytes: Int) throws -> [WireBlock] {
        let table = try writer.table()
        try time(peer.insert)
        try time(.captureInsert) { try table.insert(base) }
        try time(peer.sealInserts)
        try time(.sealInserts) { try writer.seal() }
        let blocks = try writer.unsent()
        try check(blocks, of: writer)
        let log = blocks.reduce(0) { $0 + $1.byteCount }
        let bytes = Double(try writer.fileBytes())
        samples.append(Sample(.size, value: bytes / Double(plainBytes)))
        samples.append(Sample(.sizeWithoutLog, value: (bytes - Double(log)) / Double(plainBytes)))
        return wire(blocks, .baseWire)
    }

    private func captureUpdates(_ writer: BenchStore) throws -> [WireBlock] {
        let sent = try writer.unsent().count
        let table = try writer.table()
        try time(peer.update)
        try time(.captureUpdate) { try table.update(updates) }
        try time(peer.sealUpdates)
        try time(.sealUpdates) { try writer.seal() }
        let blocks = Array(try writer.unsent().dropFirst(sent))
        try check(blocks, of: writer)
        return wire(blocks, .updateWire)
    }

    private func check(_ blocks: [Block], of writer: BenchStore) throws {
        let changes = blocks.reduce(0) { $0 + Int($1.header.count) }
        try WrongResult.check(changes == base.count, "\(changes) changes were sealed")
        for block in blocks { try block.verify(deviceKey: writer.identity.key.publicKey) }
    }

    private func wire(_ blocks: [Block], _ step: Step) -> [WireBlock] {
        samples.append(Sample(step, value: Double(blocks.reduce(0) { $0 + $1.byteCount }) / Double(base.count)))
        return blocks.map(\.wire)
    }

    private func merge(_ inserts: [WireBlock], _ changes: [WireBlock], of writer: BenchStore) throws {
        let reader = try store("reader", number: 2)
        try time(peer.mergeBase)
        try merge(inserts, of: writer, into: reader, as: .mergeBase, changes: base.count)
        let digest = try reader.digest()
        try time(peer.mergeAgain)
        try merge(inserts, of: writer, into: reader, as: .mergeAgain, changes: 0)
        try WrongResult.check(try reader.digest() == digest, "duplicates changed the digest")
        try time(peer.mergeUpdates)
        try merge(changes, of: writer, into: reader, as: .mergeUpdates, changes: base.count)
        try Verification.same(reader, writer)
    }

    private func merge(
        _ blocks: [WireBlock], of writer: BenchStore, into reader: BenchStore, as step: Step, changes: Int
    ) throws {
        var merged = 0
        try time(step) { merged = try reader.take(blocks, of: writer).changes }
        try WrongResult.check(merged == changes, "\(merged) changes were merged in \(step.rawValue)")
    }

    /// Half of the updated rows were edited here before the updates come; half of those edits are newer than them.
    private func conflict(_ inserts: [WireBlock], _ changes: [WireBlock], of writer: BenchStore) throws {
        let other = try store("other", number: 3)
        try other.take(inserts, of: writer)
        let table = try other.table()
        try table.update(edits, every: 2)
        try table.database.execute(
            "UPDATE kenh_pending SET at = at + CASE WHEN seq % 2 THEN 60000 ELSE -60000 END")
        try other.seal()
        let local = try other.unsent().map(\.wire)
        try time(peer.mergeConflicts)
        try time(.mergeConflicts) { try other.take(changes, of: writer) }
        let losers = try other.loserCount()
        try WrongResult.check(losers == (base.count + 1) / 2, "\(losers) losers were kept")
        try writer.take(local, of: other)
        try Verification.same(other, writer)
    }

    /// Inserts, each a transaction of its own.
    private func autocommit(like writer: BenchStore) throws {
        let few = ItemRows(count: min(base.count, Self.autocommitCount), version: 0)
        let plain = ItemTable(database: try RawDatabase(file("autocommit-plain")))
        try plain.database.execute(try writer.ddl())
        let captured = try store("autocommit", number: 4)
        let table = try captured.table()
        try time(.plainAutocommit, rows: few.count) { try plain.insertOneByOne(few) }
        try time(.captureAutocommit, rows: few.count) { try table.insertOneByOne(few) }
        try captured.seal()
        try Verification.sameRows(captured.path, file("autocommit-plain"))
    }

    private static let autocommitCount = 500

    private func fanOut(_ wanted: Set<Step>) throws {
        guard !wanted.isDisjoint(with: [.roundTrip, .fanOut]) else { return }
        let own = "\(folder)/fan-out"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        let step = FanOutStep(folder: own)
        samples += try Awaited { try await step.run() }.value() ?? []
    }

    private func history(_ wanted: Set<Step>) throws {
        guard !wanted.isDisjoint(with: Step.ofHistory) else { return }
        let own = "\(folder)/history"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        let step = HistoryStep(base: base, updates: updates, edits: edits, folder: own)
        samples += try Awaited { try await step.run() }.value() ?? []
    }

    private func exchange(_ wanted: Set<Step>) throws {
        guard !wanted.isDisjoint(with: [.exchangeUp, .exchangeDown, .oneChange]) else { return }
        let own = "\(folder)/exchange"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        let step = ExchangeStep(base: base, updates: updates, folder: own)
        samples += try Awaited { try await step.run() }.value() ?? []
    }
}

extension Step {
    /// What needs a store's own steps, not only the plain ones.
    static let ofOneStore = Set(allCases).subtracting([
        .plainInsert, .plainUpdate, .exchangeUp, .exchangeDown, .oneChange, .roundTrip, .fanOut,
    ]).subtracting(ofHistory)

    /// A log of ten times the rows, for which nothing else waits.
    static let ofHistory: Set<Step> = [.youngSync, .oldSync, .makeSnapshot, .joinByBlocks, .joinBySnapshot]
}
