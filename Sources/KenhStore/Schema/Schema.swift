import KenhMerge
@_exported import enum KenhProtocol.ChannelName
import KenhProtocol

/// One numbered step of a schema. Steps only add.
public struct Migration: Sendable {
    public enum Step: Sendable {
        case table(Table)
        case column(Column, in: String)
        /// An ordinary index over a synced table, never UNIQUE.
        case index(String, on: String, columns: [String])
    }

    public let number: Int
    public let steps: [Step]

    public init(_ number: Int, _ steps: [Step]) {
        self.number = number
        self.steps = steps
    }
}

/// The declared schema: the tables that all migrations together make.
public struct Schema: Sendable {
    public let migrations: [Migration]
    public let tables: [Table]

    public var version: Int { migrations.last?.number ?? 0 }

    /// - Throws: ``StoreError`` with code `schema`, naming the table or column and what is wrong with it.
    public init(_ migrations: [Migration]) throws(StoreError) {
        self.migrations = migrations
        var tables: [Table] = []
        var last = 0
        for migration in migrations {
            guard migration.number == last + 1 else {
                throw Self.mistake("migration \(migration.number) follows \(last)", "number migrations 1, 2, 3, …")
            }
            last = migration.number
            for step in migration.steps { try Self.add(step, to: &tables) }
        }
        self.tables = tables
        for table in tables { try Self.check(table) }
        try Self.checkIndexNames(migrations, tables)
    }

    public func table(_ name: String) -> Table? { tables.first { $0.name == name } }

    private static func add(_ step: Migration.Step, to tables: inout [Table]) throws(StoreError) {
        switch step {
        case .table(let table):
            guard !tables.contains(where: { sameName($0.name, table.name) }) else {
                throw mistake("table \(table.name) is declared twice", "rename one of them")
            }
            tables.append(table)
        case .column(let column, let name):
            guard let at = tables.firstIndex(where: { $0.name == name }) else {
                throw mistake("column \(column.name) is added to an unknown table \(name)", "declare the table first")
            }
            tables[at] = tables[at].adding(column)
        case .index(let name, let table, let columns):
            guard let declared = tables.first(where: { $0.name == table }) else {
                throw mistake("index \(name) is on an unknown table \(table)", "declare the table first")
            }
            try checkName(name, what: "index")
            guard !columns.isEmpty else { throw mistake("index \(name) names no column", "name one, or leave it out") }
            for column in columns where !declared.allColumnNames.contains(column) {
                throw mistake("index \(name) names an unknown column \(column)", "declare the column first")
            }
        }
    }

    /// SQLite keeps tables and indexes under one set of names, and an index may name a column once.
    private static func checkIndexNames(_ migrations: [Migration], _ tables: [Table]) throws(StoreError) {
        var seen = Set(tables.map { $0.name.lowercased() })
        for case .index(let name, _, let columns) in migrations.flatMap(\.steps) {
            guard seen.insert(name.lowercased()).inserted else {
                throw mistake("there are two tables or indexes called \(name)", "rename one of them")
            }
            guard Set(columns).count == columns.count else {
                throw mistake("index \(name) names a column twice", "name it once")
            }
        }
    }

    private static func check(_ table: Table) throws(StoreError) {
        try checkName(table.name, what: "table")
        guard table.columns.count <= ColumnSet.limit - 1 else {
            throw mistake("table \(table.name) has over \(ColumnSet.limit - 1) columns", "split it into two tables")
        }
        var seen: Set<String> = []
        for name in table.allColumnNames {
            try checkName(name, what: "column")
            guard seen.insert(name.lowercased()).inserted else {
                throw mistake("table \(table.name) has two columns called \(name)", "rename one of them")
            }
        }
        if case .constant(let channel) = table.channel { try checkChannel(channel, of: table) }
        for column in table.columns { try checkDefault(column, of: table) }
    }

    private static func checkChannel(_ channel: String, of table: Table) throws(StoreError) {
        guard ChannelName.isValid(channel) else {
            throw mistake(
                "table \(table.name) names the channel “\(channel)”",
                "a channel has 1 to 200 printable ASCII characters, does not begin with kenh/")
        }
    }

    private static func checkDefault(_ column: Column, of table: Table) throws(StoreError) {
        guard column.type.accepts(column.defaultValue.tag), canBeWritten(column.defaultValue) else {
            throw mistake("the default of \(table.name).\(column.name) is no \(column.type.rawValue)", "correct it")
        }
        if column.isErasable, column.defaultValue != .null {
            throw mistake("\(table.name).\(column.name) is erasable and has a default", "leave the default out")
        }
        if column.rule == .counter { try checkCounter(column, of: table) }
    }

    private static func checkCounter(_ column: Column, of table: Table) throws(StoreError) {
        let name = "\(table.name).\(column.name)"
        guard column.type == .integer else {
            throw mistake("the counter \(name) is \(column.type.rawValue)", "a counter is INTEGER")
        }
        guard column.defaultValue != .null else {
            throw mistake("the default of the counter \(name) is no integer", "give it one, such as 0")
        }
        // Its additions go into a sum, out of which nobody could take one again.
        guard !column.isErasable else {
            throw mistake("the counter \(name) is erasable", "use a column of type integer")
        }
    }

    private static func canBeWritten(_ value: Value) -> Bool {
        switch value {
        case .real(let x): x.isFinite
        case .text(let x): x.withUnsafeBytes(UTF8Check.isTextWithoutNUL)
        case .null, .integer, .blob: true
        }
    }

    /// Names go into SQL and onto the wire: plain ASCII identifiers that SQLite and Kenh do not use themselves.
    private static func checkName(_ name: String, what: String) throws(StoreError) {
        let bytes = Array(name.utf8)
        let isPlain = bytes.allSatisfy {
            (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
        }
        guard (1...64).contains(bytes.count), isPlain, !(0x30...0x39).contains(bytes[0]) else {
            throw mistake("“\(name)” is no name for a \(what)", "use up to 64 letters, digits and _, a letter first")
        }
        let lower = name.lowercased()
        guard !lower.hasPrefix("kenh_"), !lower.hasPrefix("sqlite_") else {
            throw mistake("the name \(name) is reserved", "names do not begin with kenh_ or sqlite_")
        }
    }

    private static func sameName(_ a: String, _ b: String) -> Bool { a.lowercased() == b.lowercased() }

    private static func mistake(_ what: String, _ advice: String) -> StoreError {
        StoreError(.schema, "schema mistake: \(what)", advice: advice)
    }
}

extension Table {
    /// `id`, the channel column where there is one, and the declared columns.
    var allColumnNames: [String] {
        if case .column(let name) = channel { return ["id", name] + columns.map(\.name) }
        return ["id"] + columns.map(\.name)
    }
}

extension ColumnType {
    /// Whether a value of this tag can be shown in a column of this type.
    func accepts(_ tag: Value.Tag) -> Bool {
        switch (self, tag) {
        case (_, .null), (.text, .text), (.integer, .integer), (.real, .real), (.blob, .blob): true
        default: false
        }
    }
}
