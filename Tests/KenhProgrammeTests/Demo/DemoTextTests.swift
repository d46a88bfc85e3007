import Foundation
import KenhProgramme
import KenhStore
import KenhWords
import Testing

/// What the demo says, in the organisation and in the played month.
@Suite struct DemoTextTests {
    static let seeds: [UInt64] = [1, 42]

    private func texts(_ seed: UInt64) -> [(column: String, text: String)] {
        var values: [(column: String, value: Value)] = []
        var rows = DemoOrganisation(seed: seed).rows
        for change in DemoMonth(seed: seed).steps.flatMap(\.changes) {
            switch change {
            case .insert(let row): rows.append(row)
            case .update(_, _, let written): values += written
            default: continue
            }
        }
        for row in rows { values += [(column: "id", value: .text(row.id))] + row.values }
        return values.compactMap { pair in pair.value.string.map { (pair.column, $0) } }
    }

    @Test("all text is composed (NFC), not empty and without control characters", arguments: seeds)
    func composed(seed: UInt64) {
        for (column, text) in texts(seed) {
            #expect(!text.isEmpty, "\(column)")
            #expect(Array(text.utf8) == Array(text.precomposedStringWithCanonicalMapping.utf8), "\(column)")
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }, "\(column)")
        }
    }

    @Test("titles are Vietnamese, and no two items have the same")
    func titles() {
        let items = DemoOrganisation(seed: 1).rows.filter { $0.table == "work_item" }
        let titles = items.compactMap { $0["title"].string }
        #expect(Set(titles).count == items.count)
        for title in titles {
            #expect(!title.contains("{") && title.unicodeScalars.contains { $0.value > 0x7f })
        }
    }

    @Test("people are aliases of seats, never names", arguments: seeds)
    func aliases(seed: UInt64) throws {
        let alias = try Regex("^(CB[1-5]|ĐUV|UBKT)-[0-9]{2}$")
        for (column, text) in texts(seed) where ["accountable", "actor", "seat"].contains(column) {
            #expect(try alias.wholeMatch(in: text) != nil, "\(column) \(text)")
        }
        for step in DemoMonth(seed: seed).steps { #expect(try alias.wholeMatch(in: step.officer) != nil) }
        #expect(try alias.wholeMatch(in: DemoOrganisation.officer) != nil)
    }

    @Test("no text has the name of the source document's signatory, or speaks of persons' attitudes", arguments: seeds)
    func neutral(seed: UInt64) {
        let sql = DemoMonth(seed: seed).steps.compactMap { step in
            if case .sql(let text) = step.action { text } else { nil }
        }
        let words = DemoMonth(seed: seed).steps.flatMap { [$0.words.vietnamese, $0.words.english] }
        let everything = (texts(seed).map(\.text) + sql + words).joined(separator: "\n").lowercased()
        for word in [
            "hoàng", "dương quốc", "đồng chí", "suy thoái", "tự diễn biến", "trung thành", "thái độ", "lập trường",
        ] {
            #expect(!everything.contains(word), "\(word)")
        }
    }
}
