import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// One run: cells are made, the centre is started, all cells sync at once, and what came of it is checked and printed.
struct LoadRun {
    let options: LoadOptions

    /// - Returns: whether nothing was lost or refused.
    func run() throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kenh-load-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let centre = try LoadCentre(folder: folder, cells: options.cells)
        print("entering \(options.cells) cells, each with \(options.changes) changes in a block")
        fflush(nil)
        let cells = try LoadCell.make(options.cells, changes: options.changes, at: centre)
        let process = try CentreProcess(centre)
        defer { process.stop() }
        let probe = try Probe(port: process.port)
        probe.start()
        let drained = try LoadClients(centre: centre, port: process.port, connections: options.connections).drain(cells)
        probe.stop()
        let memory = process.peakMegabytes
        let merged = try waitUntilMerged(centre)
        process.stop()
        report(drained, probe, memory, merged)
        return drained.refusals.isEmpty && merged == options.cells * options.changes
    }

    /// How many rows the centre shows in the end.
    private func waitUntilMerged(_ centre: LoadCentre) throws -> Int {
        let store = try Store(path: centre.storePath, schema: LoadCentre.schema)
        var (rows, before) = (0, -1)
        while rows < options.cells * options.changes, rows > before {
            Thread.sleep(forTimeInterval: 5)
            before = rows
            guard case .integer(let count) = try store.rows("SELECT count(*) AS n FROM item").first?["n"] else { break }
            rows = Int(count)
        }
        return rows
    }

    private func report(_ drained: LoadClients.Result, _ probe: Probe, _ memory: Int, _ merged: Int) {
        let changes = options.cells * options.changes
        let seconds = drained.seconds
        print(
            """

            | measure | figure |
            |---|---|
            | cells, changes | \(options.cells), \(changes) |
            | drained in | \(Self.text(seconds)) s, \(Int(Double(changes) / seconds)) durable changes/s |
            | a sync, median and p99 | \(Self.text(drained.quantile(0.5))) s, \(Self.text(drained.quantile(0.99))) s |
            | `/healthz` meanwhile, p99 | \(Self.text(probe.quantile(0.99))) s |
            | centre's memory at its peak | \(memory) MB |
            | refused | \(drained.refusals.count) |
            | rows at the centre in the end | \(merged) of \(changes) |
            """)
        for refusal in drained.refusals.prefix(5) { print("  \(refusal)") }
    }

    private static func text(_ seconds: Double) -> String { String(format: "%.3f", seconds) }
}

extension [Double] {
    func quantile(_ part: Double) -> Double {
        let ordered = sorted()
        return ordered.isEmpty ? 0 : ordered[Swift.min(Int(Double(ordered.count) * part), ordered.count - 1)]
    }
}
