import KenhMerge

/// Compares what was captured and not sealed yet with the lines of the tables. Nothing else vouches for it: before it
/// is sealed it has no hash.
struct PendingVerifier {
    private let core: StoreCore

    private struct Key: Hashable {
        let table: Int
        let id: Value
    }

    /// What a line shows after the captured changes, as far as they say.
    private struct Line {
        var isThere = true
        /// By declared column.
        var values: [Int: Value] = [:]
    }

    init(core: StoreCore) { self.core = core }

    func run(_ report: inout VerifyReport) throws {
        for (key, line) in try lines(&report) {
            guard let table = core.catalogue.tables[key.table], table.declared != nil else { continue }
            let name = "row \(key.id) of \(table.name)"
            let shown = try TableLine(core: core, table: table).read(id: key.id.bytes)
            guard line.isThere == (shown != nil) else {
                report.add("\(name) is not what was captured last")
                continue
            }
            guard let shown else { continue }
            for (column, value) in line.values.sorted(by: { $0.key < $1.key }) {
                guard shown.indices.contains(column), !Self.isSame(shown[column], value) else { continue }
                let columnName = table.columns[table.declaredNumbers[column]].name
                report.add("\(name) has another value in \(columnName) than was captured")
            }
        }
    }

    /// SQLite keeps a real that equals an integer as one.
    private static func isSame(_ a: Value, _ b: Value) -> Bool { a == b || a == .real(0.0) && b == .real(-0.0) }

    private func lines(_ report: inout VerifyReport) throws -> [(key: Key, value: Line)] {
        let read = try core.sql("SELECT * FROM kenh_pending ORDER BY seq")
        defer { read.reset() }
        var lines: [Key: Line] = [:]
        while try read.step() {
            guard let table = core.catalogue.tables[Int(read.int(1))], let kind = PendingKind(rawValue: read.int(2))
            else {
                report.add("a captured change belongs to no table, or is of no kind")
                continue
            }
            note(read, kind, table, in: &lines[Key(table: table.number, id: read.value(3)), default: Line()])
        }
        return lines.sorted { ($0.key.table, $0.key.id.bytes.hex) < ($1.key.table, $1.key.id.bytes.hex) }
    }

    private func note(_ read: Statement, _ kind: PendingKind, _ table: LocalTable, in line: inout Line) {
        guard kind != .delete else {
            line = Line(isThere: false)
            return
        }
        line.isThere = true
        let mask = UInt64(bitPattern: read.int(5))
        for (declared, number) in table.declaredNumbers.enumerated() where mask >> UInt64(declared) & 1 == 1 {
            // What was added to a counter does not say what it shows.
            if kind == .update, table.counters.contains(column: number) {
                line.values[declared] = nil
            } else {
                line.values[declared] = read.value(Int32(8 + declared))
            }
        }
    }
}
