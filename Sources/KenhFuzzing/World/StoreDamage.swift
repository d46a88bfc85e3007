import Foundation
import GRDB
import KenhMerge
import KenhStore

/// Damage to a store's file: bytes that changed on the disk, and cells of Kenh's own tables that hold something else,
/// which is what changed bytes come to where SQLite does not notice.
enum StoreDamage {
    static func damage(_ file: [UInt8], as name: String, in folder: ScratchFolder, by input: inout FuzzInput) throws {
        var file = file
        let isOfBytes = input.below(4) == 3
        if isOfBytes { bytes(&file, &input) }
        try folder.write(file, to: name)
        guard !isOfBytes else { return }
        try? cells(folder.path(name), &input)
    }

    private static func bytes(_ file: inout [UInt8], _ input: inout FuzzInput) {
        for _ in 0..<(1 + input.below(8)) {
            let at = (Int(input.byte()) << 16 | Int(input.byte()) << 8 | Int(input.byte())) % file.count
            switch input.below(4) {
            case 0: file[at] ^= 1 << UInt8(input.below(8))
            case 1: file[at] = input.byte()
            case 2: for i in at..<min(at + 512, file.count) { file[i] = 0 }
            default: file.removeLast(min(file.count - at, file.count - 100))
            }
            guard file.count > 100 else { return }
        }
    }

    /// Below SQLite's own checks of types, so that every cell can hold everything.
    private static func cells(_ path: String, _ input: inout FuzzInput) throws {
        let queue = try DatabaseQueue(path: path)
        var steps: [(table: Int, column: Int, row: Int, value: Value)] = []
        for _ in 0..<(1 + input.below(4)) {
            steps.append((input.below(32), input.below(16), input.below(16), other(&input)))
        }
        try queue.inDatabase { db in
            try db.execute(sql: "PRAGMA writable_schema=ON; PRAGMA ignore_check_constraints=ON")
            let tables = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            )
            for step in steps {
                let table = tables[step.table % tables.count]
                let columns = try String.fetchAll(db, sql: "SELECT name FROM pragma_table_info(?)", arguments: [table])
                try? change(db, table, columns[step.column % columns.count], step.row, step.value)
            }
        }
    }

    private static func change(_ db: Database, _ table: String, _ column: String, _ row: Int, _ value: Value) throws {
        let keys = try String.fetchAll(
            db, sql: "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", arguments: [table])
        let key = keys.isEmpty ? "rowid" : keys.map { "\"\($0)\"" }.joined(separator: ", ")
        let (values, sql) =
            switch value {
            case .null: (StatementArguments(), "NULL")
            case .integer(let x): (StatementArguments([x]), "?")
            case .real(let x): (StatementArguments([x]), "?")
            case .text(let x): (StatementArguments([String(decoding: x, as: UTF8.self)]), "?")
            case .blob(let x): (StatementArguments([Data(x)]), "?")
            }
        let isDeletion = value == .null
        let target = "(\(key)) IN (SELECT \(key) FROM \"\(table)\" ORDER BY \(key) LIMIT 1 OFFSET \(row % 6))"
        try db.execute(
            sql: isDeletion
                ? "DELETE FROM \"\(table)\" WHERE \(target)"
                : "UPDATE \"\(table)\" SET \"\(column)\" = \(sql) WHERE \(target)",
            arguments: values)
    }

    private static func other(_ input: inout FuzzInput) -> Value {
        switch input.below(5) {
        case 0: .integer(input.number())
        case 1: .blob(input.chunk())
        case 2: .text(input.pick(["", "org", "a", "b", "note", "task", "text", "blob", "schema_version", "title"]))
        case 3: .integer(input.pick([0, 1, 2, -1]))
        default: .null
        }
    }
}
