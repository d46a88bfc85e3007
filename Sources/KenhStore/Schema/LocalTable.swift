import KenhMerge
import KenhProtocol

/// A table as this node numbers it: declared by its own schema, or met in the blocks of a newer node and kept.
final class LocalTable {
    let number: Int
    let name: String
    let idType: RowIDType
    /// Nil where a newer node declared the table and this one has no such table to show.
    let declared: Table?
    private(set) var columns: [LocalColumn] = []
    /// Of each column; nil where it is not declared here.
    private(set) var types: [ColumnType?] = []
    /// The columns that the table shows.
    private(set) var shown: ColumnSet = []
    private(set) var erasable: ColumnSet = []
    private(set) var counters: ColumnSet = []
    let seed: Digest128
    private(set) var columnSeeds: [Digest128] = []
    private var numbers: [String: Int] = [:]

    struct LocalColumn {
        let name: String
        /// Nil for a column that only newer nodes know.
        let declared: Column?
    }

    init(number: Int, name: String, idType: RowIDType, declared: Table?) {
        self.number = number
        self.name = name
        self.idType = idType
        self.declared = declared
        switch declared?.channel {
        case .column(let name): (channelColumn, constantChannel) = (name, nil)
        case .constant(let name): (channelColumn, constantChannel) = (nil, name)
        case nil: (channelColumn, constantChannel) = (nil, nil)
        }
        seed = DigestHasher.name(name)
    }

    func append(_ name: String, declared column: Column?) {
        if column != nil { shown.insert(.column(columns.count)) }
        if column?.isErasable == true { erasable.insert(.column(columns.count)) }
        if column?.rule == .counter { counters.insert(.column(columns.count)) }
        numbers[name] = columns.count
        columns.append(LocalColumn(name: name, declared: column))
        types.append(column?.type)
        columnSeeds.append(DigestHasher.name(name))
    }

    func column(_ name: String) -> Int? { numbers[name] }

    /// This node's number of the i-th declared column: `v<i>` of the pending table and bit i of its mask.
    private(set) lazy var declaredNumbers: [Int] = (declared?.columns ?? []).map { numbers[$0.name] ?? 0 }
    private lazy var isInDeclaredOrder = declaredNumbers == Array(declaredNumbers.indices)

    /// The counters by their places among the declared columns.
    private(set) lazy var declaredCounters = declaredNumbers.indices.reduce(into: ColumnSet()) { set, place in
        if counters.contains(column: declaredNumbers[place]) { set.insert(.column(place)) }
    }

    /// A mask over declared columns as a set over this node's numbers.
    func local(declaredMask mask: UInt64) -> ColumnSet {
        if isInDeclaredOrder { return ColumnSet(rawValue: mask) }
        var result: ColumnSet = []
        ColumnSet(rawValue: mask).forEach { result.insert(.column(declaredNumbers[$0])) }
        return result
    }

    /// The name of the column that holds each row's channel, where the table has one.
    let channelColumn: String?
    let constantChannel: String?
    let statements = TableStatements()

    /// Whether the table shows rows of this id and channel. Of a table that belongs to one channel, none of another's:
    /// whoever may write that one would write this table everywhere. What is not shown stays in the state alone.
    func canShow(id: UnsafeRawBufferPointer, channel: @autoclosure () -> String) -> Bool {
        guard declared != nil, constantChannel.map({ $0 == channel() }) ?? ChannelName.isValid(channel()) else {
            return false
        }
        switch idType {
        case .blob: return id.count == 16
        case .text: return id.count <= 1000 || id.count { $0 & 0xc0 != 0x80 } <= 1000
        }
    }

    func rowSeed(_ id: UnsafeRawBufferPointer) -> Digest128 { DigestHasher.row(table: seed, id: id) }
}

/// All tables that this node has met, loaded from `kenh_table` and `kenh_column`.
final class TableCatalogue {
    private(set) var tables: [Int: LocalTable] = [:]
    private var numbers: [String: Int] = [:]

    func load(_ sql: StatementCache, schema: Schema) throws(StoreError) {
        tables = [:]
        numbers = [:]
        let read = try sql("SELECT number, name, id_type, is_declared FROM kenh_table ORDER BY number")
        defer { read.reset() }
        while try read.step() {
            let name = read.string(1)
            let declared = read.int(3) == 1 ? schema.table(name) : nil
            add(
                LocalTable(
                    number: Int(read.int(0)), name: name, idType: read.string(2) == "blob" ? .blob : .text,
                    declared: declared))
        }
        try loadColumns(sql)
        for table in tables.values { try check(table) }
    }

    /// What everything else relies on: numbers in range, columns that fit into a mask, and none missing or twice.
    private func check(_ table: LocalTable) throws(StoreError) {
        let names = Set(table.columns.map(\.name))
        let declared = table.declared?.columns ?? []
        guard (1...Int(Int32.max)).contains(table.number), table.columns.count < ColumnSet.limit,
            names.count == table.columns.count, declared.allSatisfy({ names.contains($0.name) })
        else {
            throw StoreError(
                .corrupt, "the store's record of the table \(table.name) is damaged",
                advice: "run kenh verify and restore a backup")
        }
    }

    private func loadColumns(_ sql: StatementCache) throws(StoreError) {
        let read = try sql("SELECT tbl, name, is_declared FROM kenh_column ORDER BY tbl, number")
        defer { read.reset() }
        while try read.step() {
            guard let table = tables[Int(read.int(0))] else { continue }
            let name = read.string(1)
            table.append(name, declared: read.int(2) == 1 ? table.declared?.columns.first { $0.name == name } : nil)
        }
    }

    func table(_ name: String) -> LocalTable? { numbers[name].flatMap { tables[$0] } }

    private func add(_ table: LocalTable) {
        tables[table.number] = table
        numbers[table.name] = table.number
    }

    /// The table that a block names; a new one is written down so that its rows are kept until it is declared here.
    func meet(_ body: BodyTable, _ sql: StatementCache) throws(StoreError) -> LocalTable {
        let table: LocalTable
        if let known = self.table(body.name) { table = known } else { table = try addUndeclared(body, sql) }
        for column in body.columns where table.column(column) == nil { try addUndeclared(column, to: table, sql) }
        return table
    }

    private func addUndeclared(_ body: BodyTable, _ sql: StatementCache) throws(StoreError) -> LocalTable {
        let number = (tables.keys.max() ?? 0) + 1
        let insert = try sql("INSERT INTO kenh_table(number, name, id_type, is_declared) VALUES(?, ?, ?, 0)")
        insert.bind(1, number)
        insert.bind(2, copying: body.name)
        insert.bind(3, copying: body.idType == .blob ? "blob" : "text")
        try insert.run()
        let table = LocalTable(number: number, name: body.name, idType: body.idType, declared: nil)
        add(table)
        return table
    }

    private func addUndeclared(_ column: String, to table: LocalTable, _ sql: StatementCache) throws(StoreError) {
        guard table.columns.count < ColumnSet.limit - 1 else {
            throw StoreError(
                .malformedBlock, "a block adds too many columns to \(table.name)",
                advice: "upgrade Kenh on this machine")
        }
        let insert = try sql("INSERT INTO kenh_column(tbl, number, name, is_declared) VALUES(?, ?, ?, 0)")
        insert.bind(1, table.number)
        insert.bind(2, table.columns.count)
        insert.bind(3, copying: column)
        try insert.run()
        table.append(column, declared: nil)
    }
}
