import KenhMerge
import KenhStore

/// The tables of a simulated organisation, in two versions: the second adds a column and a table.
public enum SimulatedSchema {
    public static let first: Schema = make([Migration(1, [.table(item), .table(task), .table(photo), .table(meter)])])
    public static let second: Schema = make([
        Migration(1, [.table(item), .table(task), .table(photo), .table(meter)]),
        Migration(
            2, [.column(.text("extra"), in: "item"), .column(.counter("more", default: 7), in: "item"), .table(memo)]),
    ])

    private static let item = Table(
        "item", channel: .constant("org"),
        columns: [
            .text("title"), .integer("amount"), .real("ratio"), .blob("data"), .text("note", .silent),
            .text("status", .mustResolve, default: "open"), .text("contact", erasable: true),
            .counter("count"),
        ])
    private static let task = Table("task", channel: .column("channel"), columns: [.text("title"), .integer("points")])
    private static let photo = Table(
        "photo", id: .blob, channel: .constant("org"), columns: [.text("name"), .blob("content", erasable: true)])
    private static let memo = Table("memo", channel: .constant("memo"), columns: [.text("text"), .integer("weight")])

    /// People only insert zeros here and add to them: what it shows is the sum of what they added.
    static let meter = Table("meter", channel: .constant("org"), columns: [.counter("count")])

    private static func make(_ migrations: [Migration]) -> Schema {
        do { return try Schema(migrations) } catch { preconditionFailure("\(error)") }
    }

    /// How many different rows people write, besides those that they import.
    public static let idCount = 18

    /// Everybody uses the same few ids, two of which look alike and differ in their bytes.
    public static func id(_ number: Int, of table: Table) -> Value {
        switch (table.idType, number) {
        case (.blob, _): .blob(Array(repeating: UInt8(truncatingIfNeeded: number), count: 16))
        case (.text, 1): .text("\u{e9}")
        case (.text, 2): .text("e\u{301}")
        case (.text, _): .text("r\(number)")
        }
    }

    /// The channel that people agreed on for an id.
    public static func channel(_ number: Int) -> String { number.isMultiple(of: 2) ? "plan/A" : "plan/B" }
}
