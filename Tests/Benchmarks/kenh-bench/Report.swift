import CSQLite
import Foundation
import KenhStore

/// What a benchmark gives: the machine, and each step's figures.
struct Report: Encodable {
    let workload = "ITEM-1"
    let rows: Int
    let runs: Int
    let machine: Machine
    let steps: [Summary]

    struct Machine: Encodable {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let memoryBytes = ProcessInfo.processInfo.physicalMemory
        let system = ProcessInfo.processInfo.operatingSystemVersionString
        let sqlite = String(cString: sqlite3_libversion())
        let journalMode = Durability.current.journalMode
        let synchronous = Durability.current.synchronous
    }

    init(rows: Int, runs: [[Sample]], only: Set<Step>) {
        self.rows = rows
        self.runs = runs.count
        machine = Machine()
        steps = Step.allCases.filter(only.contains).compactMap { Summary($0, runs: runs) }
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let file = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try encoder.encode(self).write(to: file)
    }

    /// For people, one line a step.
    var table: String {
        let title =
            "ITEM-1, \(rows) rows, \(runs) runs; SQLite \(machine.sqlite), journal \(machine.journalMode), "
            + "synchronous \(machine.synchronous), \(machine.cores) cores"
        let head = Self.line([
            "step", "median", "min", "max", "unit", "÷ plain", "by CPU", "÷ session", "by CPU", "wall s", "CPU s",
            "peak MB",
        ])
        return ([title, head] + steps.map(Self.line)).joined(separator: "\n")
    }

    private static func line(_ summary: Summary) -> String {
        let isRate = summary.unit == "rows/s"
        let figure = { (value: Double) in isRate ? "\(Int(value.rounded()))" : fixed(value, 2) }
        let ratio = { (value: Double?) in value.map { fixed($0, 2) } ?? "" }
        let seconds = { (value: Double) in isRate ? fixed(value, 3) : "" }
        return line([
            summary.step, figure(summary.median), figure(summary.min), figure(summary.max), summary.unit,
            ratio(summary.ratioToPlain), ratio(summary.cpuRatioToPlain), ratio(summary.ratioToSession),
            ratio(summary.cpuRatioToSession), seconds(summary.wallSeconds),
            seconds(summary.cpuSeconds), summary.peakBytes.map { "\($0 >> 20)" } ?? "",
        ])
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

    private static func line(_ cells: [String]) -> String {
        let widths = [19, 10, 10, 10, 9, 8, 8, 10, 8, 8, 8, 8]
        return zip(cells, widths).enumerated().map { place, cell in
            let gap = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
            return place == 0 || place == 4 ? " " + cell.0 + gap : gap + cell.0
        }.joined()
    }
}
