/// A table as lines of text for a terminal. Letters count as people see them, so that Vietnamese text lines up.
public struct TextTable: Sendable {
    public enum Alignment: Sendable { case left, right }

    public let columns: [(title: String, alignment: Alignment)]
    /// A shorter row leaves its last cells empty; what is beyond the columns is not shown.
    public var rows: [[String]]
    /// Below a rule, such as totals.
    public var footer: [String]?

    public init(_ columns: [(title: String, alignment: Alignment)], rows: [[String]], footer: [String]? = nil) {
        self.columns = columns
        self.rows = rows
        self.footer = footer
    }

    /// Lines end with a line feed; no line ends with a space.
    public func rendered() -> String {
        let titles = columns.map { Self.printable($0.title) }
        let body = rows.map(cells)
        let last = footer.map(cells)
        let widths = columns.indices.map { column in
            ([titles, last ?? []] + body).map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        var lines = [line(titles, widths), rule] + body.map { line($0, widths) }
        if let last { lines += [rule, line(last, widths)] }
        return lines.joined(separator: "\n") + "\n"
    }

    private func cells(_ row: [String]) -> [String] {
        columns.indices.map { row.indices.contains($0) ? Self.printable(row[$0]) : "" }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = columns.indices.map { column in
            let space = String(repeating: " ", count: widths[column] - cells[column].count)
            return columns[column].alignment == .left ? cells[column] + space : space + cells[column]
        }
        let joined = padded.joined(separator: "  ")
        return String(joined[..<(joined.lastIndex { $0 != " " }.map(joined.index(after:)) ?? joined.startIndex)])
    }

    /// People's text may hold what moves a terminal's cursor or turns the direction of writing.
    static func printable(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: shown.append(" ")
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }
}
