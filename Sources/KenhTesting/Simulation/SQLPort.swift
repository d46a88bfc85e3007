import KenhMerge
import KenhStore

/// A way to run SQL in one transaction of a store's file.
package protocol SQLPort {
    func run(_ sql: String, _ arguments: [Value]) throws
    func rows(_ sql: String, _ arguments: [Value]) throws -> [[Value]]
}

/// The application's own writes, by way of the store.
struct OwnWrites: SQLPort {
    let transaction: StoreTransaction

    func run(_ sql: String, _ arguments: [Value]) throws { try transaction.execute(sql, arguments) }

    func rows(_ sql: String, _ arguments: [Value]) throws -> [[Value]] {
        try transaction.rows(sql, arguments).map { row in row.columns.map { row[$0] } }
    }
}

/// Another program that knows nothing of Kenh.
package struct PlainSQL: SQLPort {
    let statements: StatementCache

    package func run(_ sql: String, _ arguments: [Value]) throws { _ = try rows(sql, arguments) }

    package func rows(_ sql: String, _ arguments: [Value]) throws -> [[Value]] {
        let statement = try statements(sql)
        defer { statement.reset() }
        for (i, value) in arguments.enumerated() { statement.bind(Int32(i + 1), copying: value) }
        var rows: [[Value]] = []
        while try statement.step() { rows.append((0..<statement.columnCount).map { statement.value(Int32($0)) }) }
        return rows
    }
}
