import Foundation
import KenhMerge
import KenhProtocol

/// Merges all blocks of a store anew in a temporary one and compares every state and every line.
struct RebuildComparison {
    private let core: StoreCore
    private let schema: Schema
    private var random: any RandomNumberGenerator

    /// Blocks that are merged in one transaction, by their bytes.
    private static let batchBytes = 16 << 20

    init(core: StoreCore, schema: Schema, random: any RandomNumberGenerator) {
        self.core = core
        self.schema = schema
        self.random = random
    }

    func run(_ report: inout VerifyReport, _ steps: inout VerifyProgress) throws {
        if let path = core.limits.rebuildPath { return try run(in: path, &report, &steps) }
        let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-verify-\(UUID().uuidString)")
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw StoreError(
                .io, "there is no room for a rebuild: \(error)", advice: "free some space in \(folder.path)")
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        try run(in: folder.appending(path: "rebuilt.db").path, &report, &steps)
    }

    private func run(in path: String, _ report: inout VerifyReport, _ steps: inout VerifyProgress) throws {
        let copy = try Store(path: path, schema: schema)
        try fill(copy, &steps)
        let unsealed = try UnsealedRows(core)
        let found = try copy.reading { rebuilt in
            var found = VerifyReport()
            try compare(core, with: rebuilt, unsealed, &found)
            try findMissing(rebuilt, unsealed, &found)
            return found
        }
        found.problems.forEach { report.add($0) }
    }

    private func fill(_ copy: Store, _ steps: inout VerifyProgress) throws {
        var random = random
        let identity = StoreIdentity(
            organisation: .zero, replica: .random(using: &random), key: try SigningKey(using: &random))
        var finalities = Delivery()
        finalities.finalities = try core.finals.all()
        _ = try copy.take(finalities, as: identity)
        for channel in try SnapshotTable(core: core).channels() { try copy.begin(asIn: core, channel, identity) }
        var batch: [Delivery.Item] = []
        var bytes = 0
        try core.blocks.forEach(onlyApplied: true) { block, acceptedAt, ruling in
            let acceptance = acceptedAt.map {
                Delivery.Acceptance(sequence: 0, acceptedAtMilliseconds: $0, ruling: ruling)
            }
            batch.append(Delivery.Item(hash: block.hash, block: block, acceptance: acceptance))
            bytes += block.byteCount
            steps.step()
            guard bytes >= Self.batchBytes else { return }
            _ = try copy.take(Delivery(items: batch), as: identity)
            (batch, bytes) = ([], 0)
        }
        _ = try copy.take(Delivery(items: batch), as: identity)
    }

    private func compare(
        _ core: StoreCore, with rebuilt: StoreCore, _ unsealed: UnsealedRows, _ report: inout VerifyReport
    ) throws {
        try core.rows.forEachID { number, id in
            guard let table = core.catalogue.tables[number], !unsealed.contains(table, id) else { return }
            let kept = try ComparableRow(core, table, id)
            let made = try rebuilt.catalogue.table(table.name).map { try ComparableRow(rebuilt, $0, id) }
            if let made, kept == made { return }
            let columns = made.map { kept.differingColumns($0) } ?? []
            let what = columns.isEmpty ? "" : " in \(columns.joined(separator: ", "))"
            report.add("row \(id) of \(table.name) is not what its blocks make of it\(what)")
        }
    }

    private func findMissing(
        _ rebuilt: StoreCore, _ unsealed: UnsealedRows, _ report: inout VerifyReport
    ) throws {
        try rebuilt.rows.forEachID { number, id in
            guard let name = rebuilt.catalogue.tables[number]?.name else { return }
            if let table = core.catalogue.table(name), try core.rows.contains(table: table, id: id.bytes) { return }
            report.add("row \(id) of \(name) is in the blocks and not in the store")
        }
    }
}

/// All that is known of a row in terms that do not depend on the node: names instead of its numbers, and every value
/// wherever it is kept.
struct ComparableRow: Equatable {
    private struct Stamp: Hashable {
        let channel: String
        let block: Hash256
        let index: UInt64
        let clock: HybridClock
        let isRemoved: Bool
        let isDelta: Bool
        let isInsert: Bool
        let values: [String: Value]
    }

    private let stamps: Set<Stamp>
    private let line: [String: Value]?

    init(_ core: StoreCore, _ table: LocalTable, _ id: Value) throws {
        let bytes = id.bytes
        let states = try core.rows.states(table: table, id: bytes)
        let shown = bytes.withUnsafeBytes { core.shownChannel(states, table: table, id: $0) }
        let values = table.declared == nil ? nil : try TableLine(core: core, table: table).read(id: bytes)
        let line = values.map { Dictionary(uniqueKeysWithValues: zip(table.declared?.columns.map(\.name) ?? [], $0)) }
        var stamps: Set<Stamp> = []
        for (channel, state) in states {
            for write in state.writes {
                let place = try core.index.place(of: write.dot)
                var values: [String: Value] = [:]
                write.columns.subtracting(.existence).forEach { column in
                    let name = table.columns[column].name
                    let value = write.heldValue(column) ?? (channel == shown ? line?[name] : nil)
                    // To a counter, whatever is no integer is 0, in the table and beside it.
                    values[name] = table.counters.contains(column: column) ? value.map { .integer($0.counted) } : value
                }
                stamps.insert(
                    Stamp(
                        channel: core.channels.name(channel), block: place.hash, index: place.index,
                        clock: write.clock, isRemoved: write.isRemoved, isDelta: write.isDelta,
                        isInsert: write.columns.contains(.existence), values: values))
            }
        }
        self.stamps = stamps
        self.line = line
    }

    /// Columns whose shown values differ.
    func differingColumns(_ other: ComparableRow) -> [String] {
        let (mine, theirs) = (line ?? [:], other.line ?? [:])
        return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
    }
}
