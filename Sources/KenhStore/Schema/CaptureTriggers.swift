import KenhMerge
import KenhProtocol

/// The SQL that makes a declared table an ordinary one whose changes are captured, whichever tool makes them.
///
/// A trigger does one insert into `kenh_pending` and no look-up. Its value expressions refuse what cannot travel: text
/// with NUL, infinite reals and values too long for a block (NaN is NULL to SQLite, and −0.0 is 0.0, before a trigger
/// sees them).
struct CaptureTriggers {
    let table: Table
    let number: Int

    /// Milliseconds since 1970.
    static let now = "CAST((julianday() - 2440587.5) * 86400000.0 AS INTEGER)"
    static let defaultID =
        "(lower(printf('%012x', \(now)) || hex(randomblob(10))))"

    var createTable: String {
        var lines = [idLine]
        if let channelColumn {
            lines.append(Self.channelLine(quoted(channelColumn)))
        }
        lines += table.columns.map(Self.columnLine)
        return "CREATE TABLE \(quoted(table.name))(\n    \(lines.joined(separator: ",\n    "))) STRICT"
    }

    /// ``ChannelName/isValid(_:)`` in SQL. Equal lengths in characters and bytes: ASCII without NUL.
    private static func channelLine(_ name: String) -> String {
        """
        \(name) TEXT NOT NULL CHECK(length(\(name)) BETWEEN 1 AND 200 AND length(CAST(\(name) AS BLOB)) = length(\(name))
                AND \(name) NOT GLOB '*[^ -~]*' AND \(name) NOT GLOB 'kenh/*')
        """
    }

    private var idLine: String {
        switch table.idType {
        case .text: "id TEXT PRIMARY KEY NOT NULL DEFAULT \(Self.defaultID) CHECK(length(id) BETWEEN 1 AND 1000)"
        case .blob: "id BLOB PRIMARY KEY NOT NULL DEFAULT (randomblob(16)) CHECK(length(id) = 16)"
        }
    }

    static func columnLine(_ column: Column) -> String {
        let notNull = column.rule == .counter ? " NOT NULL" : ""
        let base = "\(quoted(column.name)) \(column.type.rawValue)\(notNull)"
        return column.defaultValue == .null ? base : "\(base) DEFAULT \(literal(column.defaultValue))"
    }

    /// Drops and creates all triggers of the table.
    var createTriggers: [String] {
        let names = ["insert", "update", "delete", "id", "channel", "move"].map { "kenh_\($0)_\(table.name)" }
        return names.map { "DROP TRIGGER IF EXISTS \(quoted($0))" } + guards + [insert, update, delete]
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
            values: table.columns.map {
                "CASE WHEN \(changed($0)) THEN \($0.rule == .counter ? difference($0) : checked($0)) END"
            })
    }

    private var delete: String {
        trigger(
            "delete", event: "DELETE", kind: .delete, row: "OLD", mask: "0",
            values: table.columns.map { "OLD.\(quoted($0.name))" })
    }

    private func trigger(
        _ name: String, event: String, kind: ChangeKind, row: String, mask: String, values: [String]
    ) -> String {
        let columns = table.columns.indices.map { ", v\($0)" }.joined()
        return """
            CREATE TRIGGER \(quoted("kenh_\(name)_\(table.name)")) AFTER \(event) ON \(quoted(table.name)) BEGIN
                INSERT INTO kenh_pending(tbl, kind, id, ch, mask, at\(columns))
                VALUES (\(number), \(kind.rawValue), \(checkedID(row, kind)), \(channel(row)), \(mask), \(Self.now)\(values
                    .map { ",\n            " + $0 }.joined()));
            END
            """
    }

    private func channel(_ row: String) -> String { channelColumn.map { "\(row).\(quoted($0))" } ?? "NULL" }

    private func changed(_ column: Column) -> String {
        "OLD.\(quoted(column.name)) IS NOT NEW.\(quoted(column.name))"
    }

    private func checkedID(_ row: String, _ event: ChangeKind) -> String {
        guard event == .insert, table.idType == .text else { return "\(row).id" }
        return "CASE WHEN instr(CAST(NEW.id AS BLOB), X'00') THEN \(refusal("id", "a NUL character")) ELSE NEW.id END"
    }

    private func checked(_ column: Column) -> String {
        let value = "NEW.\(quoted(column.name))"
        switch column.type {
        case .text:
            let bytes = "CAST(\(value) AS BLOB)"
            return "CASE WHEN instr(\(bytes), X'00') THEN \(refusal(column.name, "a NUL character")) "
                + "WHEN length(\(bytes)) > \(limitBytes) THEN \(tooLong(column)) ELSE \(value) END"
        case .real:
            let refused = refusal(column.name, "an infinite number")
            return "CASE WHEN \(value) IN (9e999, -9e999) THEN \(refused) ELSE \(value) END"
        case .blob: return "CASE WHEN length(\(value)) > \(limitBytes) THEN \(tooLong(column)) ELSE \(value) END"
        case .integer: return value
        }
    }

    /// SQLite makes a REAL of a difference that is no 64-bit integer.
    private func difference(_ column: Column) -> String {
        let value = "NEW.\(quoted(column.name)) - OLD.\(quoted(column.name))"
        return "CASE WHEN typeof(\(value)) = 'integer' THEN \(value) "
            + "ELSE RAISE(ABORT, '\(table.name).\(column.name) may not change by over 2^63 at once: do it in two steps') END"
    }

    /// All values of a line together have to fit into one block.
    private var limitBytes: Int {
        let long = table.columns.count { $0.type == .text || $0.type == .blob }
        return min(Limits.valueBytes, Limits.plainBodyBytes * 3 / 4 / max(long, 1))
    }

    private func tooLong(_ column: Column) -> String {
        "RAISE(ABORT, '\(table.name).\(column.name) may not hold over \(limitBytes) bytes: keep it in a file')"
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
