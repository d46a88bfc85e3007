import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhProtocol
import KenhStore

/// Steps H and J: one centre whose log grows to ten times the rows. One change is sent before and after, and two cells join
/// at the end, one by all blocks, one by the snapshot.
struct HistoryStep {
    /// The inserts.
    let base: ItemRows
    /// What the rounds of updates write in turn: the same again would be no change.
    let updates: ItemRows
    let edits: ItemRows
    /// An empty folder of this run's own, removed after it.
    let folder: String

    private static let rounds = 9
    private static let changeCount = 50

    func run() async throws -> [Sample] {
        let centre = try BenchCentre(folder: folder)
        centre.hub.offerSnapshots(from: SnapshotShelf(folder: URL(filePath: folder + "/snapshots")))
        return try await centre.serving { try samples(centre, port: $0) }
    }

    private func samples(_ centre: BenchCentre, port: Int) throws -> [Sample] {
        let writer = try BenchCell(folder + "/writer.db", centre: centre, port: port)
        let table = ItemTable(database: try RawDatabase(writer.store.path))
        try table.insert(base)
        try writer.sync()
        let young = try oneSync(.youngSync, writer, table)
        for round in 0..<Self.rounds {
            try table.update(round.isMultiple(of: 2) ? edits : updates)
            try writer.sync()
        }
        let sealed = try writer.store.rows("SELECT sum(changes) AS changes FROM kenh_block").first?["changes"]
        guard case .integer(let changes) = sealed, changes >= 10 * base.count else {
            throw WrongResult(description: "wrong result: the log is not ten times as long")
        }
        let old = try oneSync(.oldSync, writer, table)
        try centre.view.catchUp()
        let byBlocks = try join("blocks", .joinByBlocks, centre, port, writer)
        let channel = try WrongResult.present(try centre.hub.snapshotChannels().first, "a channel")
        let last = try centre.hub.head(of: channel).head.sequence
        let making = try Sample(.makeSnapshot, rows: base.count) {
            _ = try centre.hub.makeSnapshot(of: channel, upTo: last, in: folder)
        }
        let bySnapshot = try join("snapshot", .joinBySnapshot, centre, port, writer)
        return [young, old, making, byBlocks, bySnapshot]
    }

    /// A change and its sync over a kept connection, the median of some.
    private func oneSync(_ step: Step, _ writer: BenchCell, _ table: ItemTable) throws -> Sample {
        let (start, cpu) = (Sample.wallSeconds, Sample.cpuSeconds)
        let milliseconds = try (0..<Self.changeCount).map { k in
            try table.update(row: ItemWorkload.updatedRow(k, of: updates.count), of: updates)
            let before = Sample.wallSeconds
            try writer.sync()
            return (Sample.wallSeconds - before) * 1000
        }
        return Sample(
            step, value: Summary.median(milliseconds), wallSeconds: Sample.wallSeconds - start,
            cpuSeconds: Sample.cpuSeconds - cpu)
    }

    private func join(
        _ name: String, _ step: Step, _ centre: BenchCentre, _ port: Int, _ writer: BenchCell
    ) throws -> Sample {
        let cell = try BenchCell(folder + "/\(name).db", centre: centre, port: port)
        let sample = try Sample(step, rows: base.count) { try cell.sync() }
        try Verification.sameRows(cell.store.path, writer.store.path)
        return sample
    }
}
