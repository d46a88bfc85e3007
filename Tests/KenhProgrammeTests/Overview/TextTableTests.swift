import KenhProgramme
import Testing

@Suite struct TextTableTests {
    @Test("columns line up by letters as people see them, composed or not")
    func alignment() {
        let table = TextTable(
            [("Đơn vị", .left), ("Số", .right)],
            rows: [["Đảng ủy", "7"], ["Đa\u{0309}ng u\u{0309}y", "1.234"], ["CB1"]], footer: ["Cộng", "8"])
        let lines = table.rendered().split(separator: "\n").map(String.init)
        #expect(
            lines.map { Array($0) }
                == [
                    "Đơn vị      Số", "───────  ─────", "Đảng ủy      7", "Đảng ủy  1.234", "CB1", "───────  ─────",
                    "Cộng         8",
                ].map { Array($0) })
        #expect(lines[2].count == lines[3].count)
    }

    @Test("what would move a terminal's cursor becomes a space, and no line ends with one")
    func printable() {
        let table = TextTable([("a", .left), ("b", .left)], rows: [["x\u{1b}[2J\ny", "\u{202e}z\u{85}"], ["", ""]])
        let text = table.rendered()
        #expect(
            !text.unicodeScalars.contains { $0 != "\n" && ($0.value < 0x20 || $0.value == 0x202e || $0.value == 0x85) })
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { !$0.hasSuffix(" ") })
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 5)
    }

    @Test("a table without rows has its head")
    func empty() {
        #expect(TextTable([("a", .left)], rows: []).rendered() == "a\n─\n")
    }
}
