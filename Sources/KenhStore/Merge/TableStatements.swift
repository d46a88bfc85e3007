import KenhMerge

/// The statements of a synced table that run for every row, by the columns that they write.
final class TableStatements {
    private var inserts: [UInt64: Statement] = [:]
    private var updates: [UInt64: Statement] = [:]
    private var line: Statement?

    /// Parameters: the id, the channel where the table has a column for it, then the columns in ascending order.
    func insert(_ columns: ColumnSet, _ table: LocalTable, _ sql: StatementCache) throws(StoreError) -> Statement {
        if let known = inserts[columns.rawValue] { return known }
        let names = ["id"] + (table.channelColumn.map { [quoted($0)] } ?? []) + Self.names(columns, table)
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        let statement = try sql(
            "INSERT INTO \(quoted(table.name))(\(names.joined(separator: ", "))) VALUES(\(marks))")
        inserts[columns.rawValue] = statement
        return statement
    }

    /// Parameters: the columns in ascending order, then the id.
    func update(_ columns: ColumnSet, _ table: LocalTable, _ sql: StatementCache) throws(StoreError) -> Statement {
        if let known = updates[columns.rawValue] { return known }
        let sets = Self.names(columns, table).map { "\($0) = ?" }.joined(separator: ", ")
        let statement = try sql("UPDATE \(quoted(table.name)) SET \(sets) WHERE id = ?")
        updates[columns.rawValue] = statement
        return statement
    }

    /// The declared columns in their order, by id.
    func read(_ table: LocalTable, _ sql: StatementCache) throws(StoreError) -> Statement {
        if let line { return line }
        let names = (table.declared?.columns ?? []).map { quoted($0.name) }
        let list = names.isEmpty ? "1" : names.joined(separator: ", ")
        let statement = try sql("SELECT \(list) FROM \(quoted(table.name)) WHERE id = ?")
        line = statement
        return statement
    }

    private static func names(_ columns: ColumnSet, _ table: LocalTable) -> [String] {
        table.columns.indices.filter { columns.contains(column: $0) }.map { quoted(table.columns[$0].name) }
    }
}

extension [Placement] {
    var columns: ColumnSet { reduce(into: []) { $0.insert(.column(Int($1.column))) } }
}
