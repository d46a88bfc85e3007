import KenhMerge
import KenhStore

extension FuzzTarget {
    /// Declarations with any names, defaults and counts: a mistake is named, and what is not refused makes tables that
    /// work.
    static let schema = FuzzTarget("schema", seeds: { SchemaFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        let migrations = SchemaFuzz.migrations(&input)
        let schema: Schema
        do throws(StoreError) { schema = try Schema(migrations) } catch {
            return try require(error.code == .schema && !error.advice.isEmpty, "a mistake without advice: \(error)")
        }
        let folder = try ScratchFolder()
        // First an older version of it, as a fleet is upgraded.
        let half = try Schema(Array(migrations.prefix(migrations.count / 2)))
        _ = try FuzzWorld.openStore(folder.path("kenh.db"), half)
        let store = try FuzzWorld.openStore(folder.path("kenh.db"), schema)
        for table in schema.tables { try SchemaFuzz.use(table, of: store) }
        let report = try store.verify(deep: true)
        try require(report.problems.isEmpty, "\(report.problems)")
    }
}

private enum SchemaFuzz {
    private static let names = [
        "a", "A", "b", "rowid", "select", "order", "id", "ID", "_", "kenh_x", "sqlite_y", "1a", "", "a b", "a\"b", "é",
        "a;--", "oid", "table", "new", "old", "kenh", "v0", "abort", "strict",
    ]

    static func name(_ input: inout FuzzInput) -> String {
        let choice = input.below(names.count + 3)
        if choice < names.count { return names[choice] }
        if choice == names.count { return String(repeating: "n", count: 60 + input.below(8)) }
        return choice == names.count + 1 ? "c\(input.byte())" : input.text()
    }

    static func migrations(_ input: inout FuzzInput) -> [Migration] {
        (0..<(input.below(4) + 1)).map { number in
            let wrong = input.below(16) == 15
            return Migration(wrong ? Int(input.number()) : number + 1, (0..<input.below(6)).map { _ in step(&input) })
        }
    }

    private static func step(_ input: inout FuzzInput) -> Migration.Step {
        switch input.below(4) {
        case 0, 1: .table(table(&input))
        case 2: .column(column(&input), in: name(&input))
        default: .index(name(&input), on: name(&input), columns: (0..<input.below(3)).map { _ in name(&input) })
        }
    }

    private static func table(_ input: inout FuzzInput) -> Table {
        let channel: ChannelRule =
            switch input.below(4) {
            case 0: .column(name(&input))
            case 1: .constant(input.text())
            default: .constant("org")
            }
        let count = input.below(8) == 7 ? 60 + input.below(5) : input.below(5)
        let isWide = count > 8
        return Table(
            name(&input), id: input.flag() ? .blob : .text, channel: channel,
            columns: (0..<count).map { number in isWide ? .text("w\(number)") : column(&input) })
    }

    private static func column(_ input: inout FuzzInput) -> Column {
        let type = input.pick(ColumnType.allCases)
        let value = input.flag() ? input.value() : suitable(type, &input)
        return Column(
            name(&input), type, loudness: input.pick([.silent, .notify, .mustResolve]), erasable: input.below(8) == 7,
            default: value)
    }

    private static func suitable(_ type: ColumnType, _ input: inout FuzzInput) -> Value {
        switch type {
        case .integer: .integer(input.number())
        case .real: .real(Double(input.number()) / 8)
        case .text: .text(input.pick(["", "'", "x'; DROP TABLE kenh_row; --", "é\n\"", "1"]))
        case .blob: .blob(input.chunk())
        }
    }

    /// A row of nothing but defaults: the table shows what was declared, and the row can be sealed.
    static func use(_ table: Table, of store: Store) throws {
        let id: Value = table.idType == .text ? "r" : .blob([UInt8](repeating: 1, count: 16))
        var values = [("id", id)]
        if case .column(let name) = table.channel { values.append((name, "org")) }
        try store.write { try $0.insert(table.name, values) }
        let row = try store.rows("SELECT * FROM \"\(table.name)\"").first
        for column in table.columns {
            let shown = row?[column.name] ?? .null
            // A table of SQLite's shows −0.0 as 0.0.
            let declared = column.defaultValue == .real(-0.0) ? .real(0.0) : column.defaultValue
            try require(
                shown == declared, "the default \(declared) of \(table.name).\(column.name) is shown as \(shown)")
        }
        if let column = table.columns.first {
            try store.write { try $0.update(table.name, id: id, [(column.name, .null)]) }
        }
        _ = try store.seal(as: FuzzWorld.identity(0))
        try store.write { try $0.delete(table.name, id: id) }
        _ = try store.seal(as: FuzzWorld.identity(0))
    }

    static var seeds: [[UInt8]] {
        [
            [0, 0, 1, 0, 2, 3, 0, 0, 1, 0, 0, 4, 0, 1, 0, 2, 0, 2, 2, 0],
            [1, 0, 2, 0, 2, 1, 2, 0, 0, 1, 0, 2, 3, 4, 0, 0, 0, 3, 2, 0, 1, 0], [0, 0, 1, 0, 2, 7, 2, 4, 0],
            [0, 0, 2, 0, 2, 2, 0, 0, 1, 0, 0xf1, 0, 0, 0, 2, 0, 0xf0, 4, 0, 0, 3, 2, 0, 1, 0],
        ]
    }
}
