import KenhMerge

/// Brings a store's tables and triggers to the declared schema, one numbered migration at a time.
struct SchemaInstaller {
    let schema: Schema
    let sql: StatementCache
    let meta: Meta

    /// Runs in the caller's transaction.
    /// - Returns: whether anything was done, in which case rows kept for these tables have to be shown now.
    func install() throws(StoreError) -> Bool {
        let installed = Int(try meta.integer("schema_version") ?? 0)
        guard installed <= schema.version else {
            throw StoreError(
                .newerVersion, "the store has schema \(installed), this program knows \(schema.version)",
                advice: "upgrade Kenh on this machine")
        }
        try checkRules()
        guard installed < schema.version else { return false }
        for migration in schema.migrations where migration.number > installed {
            for step in migration.steps { try run(step) }
        }
        for table in schema.tables { try createTriggers(table) }
        try meta.set("schema_version", .integer(Int64(schema.version)))
        return true
    }

    /// What is captured, sealed and shown goes by a column's rule, so a declared one stays what it is.
    private func checkRules() throws(StoreError) {
        let read = try sql(
            """
            SELECT t.name, c.name, c.rule FROM kenh_column AS c JOIN kenh_table AS t ON t.number = c.tbl
            WHERE c.is_declared = 1
            """)
        defer { read.reset() }
        while try read.step() {
            let (table, name, rule) = (read.string(0), read.string(1), read.string(2))
            guard let column = schema.table(table)?.columns.first(where: { $0.name == name }),
                column.rule.rawValue != rule
            else { continue }
            throw StoreError(
                .schema, "schema mistake: \(table).\(name) is a \(rule) here, the schema says \(column.rule.rawValue)",
                advice: "declare it as it was and add a column with another name")
        }
    }

    private func run(_ step: Migration.Step) throws(StoreError) {
        switch step {
        case .table(let table): try create(table)
        case .column(let column, let table):
            try sql.execute("ALTER TABLE \(quoted(table)) ADD COLUMN \(CaptureTriggers.columnLine(column))")
            try declare(column, of: table)
        case .index(let name, let table, let columns):
            let list = columns.map(quoted).joined(separator: ", ")
            try sql.execute("CREATE INDEX \(quoted(name)) ON \(quoted(table))(\(list))")
        }
    }

    private func create(_ table: Table) throws(StoreError) {
        try checkKept(table)
        try sql.execute(CaptureTriggers(table: table, number: 0).createTable)
        let (constant, column): (String?, String?) =
            switch table.channel {
            case .constant(let name): (name, nil)
            case .column(let name): (nil, name)
            }
        let write = try sql(
            """
            INSERT INTO kenh_table(number, name, id_type, channel, channel_column, is_declared)
            VALUES((SELECT coalesce(max(number), 0) + 1 FROM kenh_table), ?1, ?2, ?3, ?4, 1)
            ON CONFLICT(name) DO UPDATE SET id_type = ?2, channel = ?3, channel_column = ?4, is_declared = 1
            """)
        write.bind(1, copying: table.name)
        write.bind(2, copying: table.idType.rawValue)
        write.bind(3, copying: constant.map { Value.text($0) } ?? .null)
        write.bind(4, copying: column.map { Value.text($0) } ?? .null)
        try write.run()
        for column in table.columns { try declare(column, of: table.name) }
    }

    /// Rows of the table may be here already, from nodes that declared it earlier.
    private func checkKept(_ table: Table) throws(StoreError) {
        let read = try sql("SELECT id_type FROM kenh_table WHERE name = ?")
        defer { read.reset() }
        read.bind(1, copying: table.name)
        guard try read.step(), read.string(0) != table.idType.rawValue else { return }
        throw StoreError(
            .schema, "schema mistake: other devices give \(table.name) ids of type \(read.string(0))",
            advice: "declare it as they do, or under another name")
    }

    private func declare(_ column: Column, of table: String) throws(StoreError) {
        let number = try tableNumber(table)
        let write = try sql(
            """
            INSERT INTO kenh_column(tbl, number, name, type, rule, loudness, is_erasable, is_declared)
            VALUES(?1, coalesce((SELECT number FROM kenh_column WHERE tbl = ?1 AND name = ?2),
                (SELECT count(*) FROM kenh_column WHERE tbl = ?1)), ?2, ?3, ?4, ?5, ?6, 1)
            ON CONFLICT(tbl, number) DO UPDATE
            SET type = ?3, rule = ?4, loudness = ?5, is_erasable = ?6, is_declared = 1
            """)
        write.bind(1, number)
        write.bind(2, copying: column.name)
        write.bind(3, copying: column.type.rawValue)
        write.bind(4, copying: column.rule.rawValue)
        write.bind(5, copying: column.loudness.rawValue)
        write.bind(6, column.isErasable ? 1 : 0)
        try write.run()
        guard try columnCount(number) < ColumnSet.limit else {
            throw StoreError(
                .schema, "schema mistake: \(table) has too many columns with those of other devices",
                advice: "split it into two tables")
        }
    }

    private func columnCount(_ table: Int) throws(StoreError) -> Int {
        let read = try sql("SELECT count(*) FROM kenh_column WHERE tbl = ?")
        defer { read.reset() }
        read.bind(1, table)
        return try read.step() ? Int(read.int(0)) : 0
    }

    private func tableNumber(_ name: String) throws(StoreError) -> Int {
        let read = try sql("SELECT number FROM kenh_table WHERE name = ?")
        defer { read.reset() }
        read.bind(1, copying: name)
        return try read.step() ? Int(read.int(0)) : 0
    }

    private func createTriggers(_ table: Table) throws(StoreError) {
        try widenPending(to: table.columns.count)
        let number = try tableNumber(table.name)
        for statement in CaptureTriggers(table: table, number: number).createTriggers { try sql.execute(statement) }
    }

    /// The pending table is as wide as the widest synced one; `v<i>` is the i-th declared column.
    private func widenPending(to width: Int) throws(StoreError) {
        let read = try sql("SELECT count(*) FROM pragma_table_info('kenh_pending') WHERE name GLOB 'v[0-9]*'")
        let have = try read.step() ? Int(read.int(0)) : 0
        read.reset()
        for column in have..<max(have, width) { try sql.execute("ALTER TABLE kenh_pending ADD COLUMN v\(column)") }
    }
}

/// The store's own facts by key.
struct Meta {
    let sql: StatementCache

    func value(_ key: String) throws(StoreError) -> Value {
        let read = try sql("SELECT value FROM kenh_meta WHERE key = ?")
        defer { read.reset() }
        read.bind(1, copying: key)
        return try read.step() ? read.value(0) : .null
    }

    func integer(_ key: String) throws(StoreError) -> Int64? {
        if case .integer(let x) = try value(key) { return x }
        return nil
    }

    func blob(_ key: String) throws(StoreError) -> [UInt8]? {
        if case .blob(let x) = try value(key) { return x }
        return nil
    }

    func set(_ key: String, _ value: Value) throws(StoreError) {
        let write = try sql(
            "INSERT INTO kenh_meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2")
        write.bind(1, copying: key)
        write.bind(2, copying: value)
        try write.run()
    }
}
