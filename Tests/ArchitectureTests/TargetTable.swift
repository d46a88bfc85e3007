/// The targets and what each may import, read from the table that people read.
///
/// A cell of the last column is `nothing`, a list of modules in backticks, or `everything but` such a list, which may
/// be followed by a semicolon and a list of what is allowed besides. "Everything" is every target, and every module
/// in a plain list of another row.
struct TargetTable: Equatable {
    private(set) var allowed: [String: Set<String>] = [:]

    var targets: Set<String> { Set(allowed.keys) }

    /// Reads the table under the heading "## Targets".
    init(markdown: String) {
        let lines = markdown.split(separator: "\n", omittingEmptySubsequences: false)
        let section = lines.drop { $0 != "## Targets" }.dropFirst().prefix { !$0.hasPrefix("## ") }
        let rows = section.filter { $0.hasPrefix("| `") }.map { $0.split(separator: "|").filter { $0 != " " } }
            .filter { $0.count >= 3 }
        var cells: [String: Substring] = [:]
        for row in rows {
            guard let target = Self.modules(row[0]).first else { continue }
            cells[target] = row[row.count - 1]
        }
        for (target, cell) in cells where !Self.isEverything(cell) { allowed[target] = Set(Self.modules(cell)) }
        let everything = allowed.values.reduce(Set(cells.keys)) { $0.union($1) }
        for (target, cell) in cells where Self.isEverything(cell) {
            let parts = cell.split(separator: ";", maxSplits: 1)
            let excepted = Set(Self.modules(parts[0]))
            allowed[target] = everything.subtracting(excepted).union(parts.count > 1 ? Self.modules(parts[1]) : [])
        }
    }

    private static func isEverything(_ cell: Substring) -> Bool { cell.drop { $0 == " " }.hasPrefix("everything but") }

    private static func modules(_ cell: Substring) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
    }
}
