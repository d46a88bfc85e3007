import KenhMerge

/// The SQL that makes a declared table an ordinary one whose changes are captured, whichever tool makes them.
///
/// A trigger does one insert into `kenh_pending` and no look-up. Its value expressions refuse what cannot travel: text
/// with NUL and infinite reals (NaN is NULL to SQLite before a trigger sees it).
struct CaptureTriggers {
    let table: Table
    let number: Int

    /// Milliseconds since 1970.
    static let now = "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"
    static let defaultID =
        "(lower(printf('%012x', \(now)) || hex(randomblob(10))))"

    var createTable: String {
        var lines = [idLine]
        if let channelColumn {
            lines.append(
                "\(quoted(channelColumn)) TEXT NOT NULL CHECK(length(\(quoted(channelColumn))) BETWEEN 1 AND 200 "
                    + "AND \(quoted(channelColumn)) NOT LIKE 'kenh/%')")
        }
        lines += table.columns.map(Self.columnLine)
        return "CREATE TABLE \(quoted(table.name))(\n    \(lines.joined(separator: ",\n    "))) STRICT"
    }

    private var idLine: String {
        switch table.idType {
        case .text: "id TEXT PRIMARY KEY NOT NULL DEFAULT \(Self.defaultID) CHECK(length(id) BETWEEN 1 AND 1000)"
        case .blob: "id BLOB PRIMARY KEY NOT NULL DEFAULT (randomblob(16)) CHECK(length(id) = 16)"
        }
    }

    static func columnLine(_ column: Column) -> String {
        let base = "\(quoted(column.name)) \(column.type.rawValue)"
        return column.defaultValue == .null ? base : "\(base) DEFAULT \(literal(column.defaultValue))"
    }

    /// Drops and creates all triggers of the table.
    var createTriggers: [String] {
        let names = ["insert", "update", "delete", "id", "channel", "move"].map { "kenh_\($0)_\(table.name)" }
        let zero = realColumns.map { "kenh_zero_\(table.name)_\($0.element.name)" }
        return (names + zero).map { "DROP TRIGGER IF EXISTS \(quoted($0))" } + guards + [insert, update, delete] + zeros
    }

    private var channelColumn: String? {
        if case .column(let name) = table.channel { return name }
        return nil
    }

    private var guards: [String] {
        var result = [immutable("id", what: "id")]
        if let channelColumn {
            result.append(immutable(channelColumn, what: "channel"))
            result.append(unmovable(channelColumn))
        }
        return result
    }

    /// REPLACE would move a row to another channel without any trigger seeing the old row go.
    private func unmovable(_ column: String) -> String {
        """
        CREATE TRIGGER \(quoted("kenh_move_\(table.name)")) BEFORE INSERT ON \(quoted(table.name))
        WHEN EXISTS (SELECT 1 FROM \(quoted(table.name)) AS old
            WHERE old.id = NEW.id AND old.\(quoted(column)) IS NOT NEW.\(quoted(column))) BEGIN
            SELECT RAISE(ABORT, 'the channel of a row in \(table.name) never changes: insert a new row instead');
        END
        """
    }

    private func immutable(_ column: String, what: String) -> String {
        """
        CREATE TRIGGER \(quoted("kenh_\(what)_\(table.name)")) BEFORE UPDATE OF \(quoted(column)) ON \(quoted(table.name))
        WHEN OLD.\(quoted(column)) IS NOT NEW.\(quoted(column)) BEGIN
            SELECT RAISE(ABORT, 'the \(what) of a row in \(table.name) never changes: insert a new row instead');
        END
        """
    }

    private var insert: String {
        let mask = String(Int64(bitPattern: ColumnSet.first(table.columns.count).rawValue))
        return trigger(
            "insert", event: "INSERT", kind: .insert, row: "NEW", mask: mask,
            values: table.columns.map(checked))
    }

    private var update: String {
        let bits = table.columns.enumerated().map { "((\(changed($0.element))) << \($0.offset))" }
        return trigger(
            "update", event: "UPDATE", kind: .update, row: "NEW",
            mask: bits.isEmpty ? "0" : bits.joined(separator: " | "),
            values: table.columns.map { "CASE WHEN \(changed($0)) THEN \(checked($0)) END" })
    }

    private var delete: String {
        trigger(
            "delete", event: "DELETE", kind: .delete, row: "OLD", mask: "0",
            values: table.columns.map { "OLD.\(quoted($0.name))" })
    }

    private var realColumns: [(offset: Int, element: Column)] {
        Array(table.columns.enumerated()).filter { $0.element.type == .real }
    }

    /// 0.0 and −0.0 are equal to SQL and differ to us: a statement that sets a zero to a zero is captured, too.
    private var zeros: [String] {
        realColumns.map { offset, column in
            """
            CREATE TRIGGER \(quoted("kenh_zero_\(table.name)_\(column.name)"))
            AFTER UPDATE OF \(quoted(column.name)) ON \(quoted(table.name))
            WHEN OLD.\(quoted(column.name)) = 0.0 AND NEW.\(quoted(column.name)) = 0.0 BEGIN
                INSERT INTO kenh_pending(tbl, kind, id, ch, mask, at, v\(offset))
                VALUES (\(number), 1, NEW.id, \(channel("NEW")), \(Int64(1) << offset), \(Self.now), NEW.\(quoted(column.name)));
            END
            """
        }
    }

    private func trigger(
        _ name: String, event: String, kind: ChangeKind, row: String, mask: String, values: [String]
    ) -> String {
        let columns = table.columns.indices.map { ", v\($0)" }.joined()
        return """
            CREATE TRIGGER \(quoted("kenh_\(name)_\(table.name)")) AFTER \(event) ON \(quoted(table.name)) BEGIN
                INSERT INTO kenh_pending(tbl, kind, id, ch, mask, at\(columns))
                VALUES (\(number), \(kind.rawValue), \(checkedID(row)), \(channel(row)), \(mask), \(Self.now)\(values
                    .map { ",\n            " + $0 }.joined()));
            END
            """
    }

    private func channel(_ row: String) -> String { channelColumn.map { "\(row).\(quoted($0))" } ?? "NULL" }

    private func changed(_ column: Column) -> String {
        "OLD.\(quoted(column.name)) IS NOT NEW.\(quoted(column.name))"
    }

    private func checkedID(_ row: String) -> String {
        guard row == "NEW", table.idType == .text else { return "\(row).id" }
        return "CASE WHEN instr(NEW.id, X'00') THEN \(refusal("id", "a NUL character")) ELSE NEW.id END"
    }

    private func checked(_ column: Column) -> String {
        let value = "NEW.\(quoted(column.name))"
        switch column.type {
        case .text: return "CASE WHEN instr(\(value), X'00') THEN \(refusal(column.name, "a NUL character")) ELSE \(value) END"
        case .real: return "CASE WHEN abs(\(value)) = 9e999 THEN \(refusal(column.name, "an infinite number")) ELSE \(value) END"
        case .integer, .blob: return value
        }
    }

    private func refusal(_ column: String, _ what: String) -> String {
        "RAISE(ABORT, '\(table.name).\(column) may not hold \(what): remove it and write again')"
    }

    private static func literal(_ value: Value) -> String {
        switch value {
        case .null: "NULL"
        case .integer(let x): "\(x)"
        case .real(let x): "\(x)"
        case .text(let x): "'" + String(decoding: x, as: UTF8.self).replacing("'", with: "''") + "'"
        case .blob(let x): "x'\(x.hex)'"
        }
    }
}

/// A name of the schema in SQL; names were checked to be plain when they were declared.
func quoted(_ name: String) -> String { "\"\(name)\"" }
