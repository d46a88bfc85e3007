import CSQLite
import KenhStore

/// The workload's loops of prepared statements, the same for a plain table and for a store's.
struct ItemTable {
    static let name = "item"
    static let channel = "bench"
    static let columns = "id, name, qty, price, note, status"

    static func schema() throws -> Schema {
        try Schema([
            Migration(
                1,
                [
                    .table(
                        Table(
                            name, channel: .constant(channel),
                            columns: [.text("name"), .integer("qty"), .real("price"), .text("note"), .text("status")]))
                ])
        ])
    }

    let database: RawDatabase

    /// All rows in one transaction.
    func insert(_ rows: ItemRows) throws {
        try database.transaction { try insertOneByOne(rows) }
    }

    /// Each row in a transaction of its own where none is open.
    func insertOneByOne(_ rows: ItemRows) throws {
        let statement = try database.prepare("INSERT INTO \(Self.name)(\(Self.columns)) VALUES(?, ?, ?, ?, ?, ?)")
        let statuses = ItemWorkload.statuses.map { Array($0.utf8) }
        for row in 0..<rows.count { try Self.insert(row, of: rows, statuses: statuses, statement) }
    }

    /// The `note` of one row, in a transaction of its own where none is open.
    func update(row: Int, of rows: ItemRows) throws {
        let statement = try database.prepare("UPDATE \(Self.name) SET note = ? WHERE id = ?")
        try Self.update(row, of: rows, statement)
    }

    func note(row: Int, of rows: ItemRows) throws -> String {
        try database.text("SELECT note FROM \(Self.name) WHERE id = '\(rows.text(.id, row))'")
    }

    private static func insert(_ row: Int, of rows: ItemRows, statuses: [[UInt8]], _ statement: RawStatement) throws {
        rows.withText(.id, row) { statement.bind(1, $0) }
        rows.withText(.name, row) { statement.bind(2, $0) }
        sqlite3_bind_int64(statement.handle, 3, rows.quantities[row])
        sqlite3_bind_double(statement.handle, 4, rows.prices[row])
        rows.withText(.note, row) { statement.bind(5, $0) }
        statuses[rows.statuses[row]].withUnsafeBytes { statement.bind(6, $0) }
        try statement.run()
    }

    /// The `note` of every `stride`-th updated row in one transaction, with the values of `rows`.
    func update(_ rows: ItemRows, every stride: Int = 1) throws {
        let statement = try database.prepare("UPDATE \(Self.name) SET note = ? WHERE id = ?")
        try database.transaction {
            for k in Swift.stride(from: 0, to: rows.count, by: stride) {
                try Self.update(ItemWorkload.updatedRow(k, of: rows.count), of: rows, statement)
            }
        }
    }

    private static func update(_ row: Int, of rows: ItemRows, _ statement: RawStatement) throws {
        rows.withText(.note, row) { statement.bind(1, $0) }
        rows.withText(.id, row) { statement.bind(2, $0) }
        try statement.run()
    }
}
