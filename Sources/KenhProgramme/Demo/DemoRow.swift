import KenhStore
import KenhWords

/// One row of illustrative content and the day on which it was written.
public struct DemoRow: Sendable {
    public let table: String
    public let id: String
    public let date: CivilDate
    /// The columns and their values, without the id.
    public let values: [(column: String, value: Value)]

    package init(_ table: String, _ id: String, on date: CivilDate, _ values: [(String, Value)]) {
        self.table = table
        self.id = id.nfc
        self.date = date
        self.values = values.map { (column: $0.0, value: $0.1) }
    }

    package func insert(into transaction: StoreTransaction) throws {
        try transaction.insert(table, [("id", .text(id))] + values.map { ($0.column, $0.value) })
    }

    /// The value of a column; NULL where the row has none.
    public subscript(column: String) -> Value { values.first { $0.column == column }?.value ?? .null }
}

extension DemoRow: Equatable {
    public static func == (a: DemoRow, b: DemoRow) -> Bool {
        a.table == b.table && a.id == b.id && a.date == b.date && a.values.elementsEqual(b.values, by: ==)
    }
}

extension Value {
    /// A text as it enters the programme, in NFC.
    static func entered(_ text: String) -> Value { .text(text.nfc) }

    static func date(_ date: CivilDate) -> Value { .text(date.description) }
}
