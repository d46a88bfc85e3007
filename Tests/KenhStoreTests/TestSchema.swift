import KenhMerge
import KenhStore

/// A table with a column of every type in a constant channel, one whose rows name their channel, one with blob ids.
enum TestSchema {
    static let item = Table(
        "item", channel: .constant("org"),
        columns: [
            .text("title"), .integer("amount"), .real("ratio"), .blob("data"), .text("note", .silent),
            .text("status", .mustResolve, default: "open"), .text("contact", erasable: true),
        ])
    static let task = Table("task", channel: .column("channel"), columns: [.text("title"), .integer("points")])
    static let photo = Table(
        "photo", id: .blob, channel: .constant("org"), columns: [.text("name"), .blob("content", erasable: true)])

    static let first = Migration(
        1, [.table(item), .table(task), .table(photo), .index("item_title", on: "item", columns: ["title"])])
    static let schema = make([first])

    static func make(_ migrations: [Migration]) -> Schema {
        do { return try Schema(migrations) } catch { preconditionFailure("\(error)") }
    }
}
