import KenhMerge
import KenhStore

/// What somebody does in one transaction, in plain SQL, and the ledger's note of it.
struct UserTransaction {
    let port: any SQLPort
    let tables: [Table]
    /// Values that lost a conflict, which people see beside those in the tables.
    let losers: [LedgerPlace: Set<Value>]
    var random: SeededGenerator
    var values: ValueSource
    private(set) var draft = LedgerDraft()

    /// A line of a table, with the row's number among the ids.
    private struct Line {
        let table: Table
        let id: Value
        let channel: Value?
        var values: [String: Value]
    }

    private typealias Assignment = (column: Column, value: Value, isUnique: Bool)

    init(
        port: any SQLPort, tables: [Table], losers: [LedgerPlace: Set<Value>], random: SeededGenerator,
        values: ValueSource
    ) {
        self.port = port
        self.tables = tables
        self.losers = losers
        self.random = random
        self.values = values
    }

    mutating func perform(_ count: Int) throws {
        for _ in 0..<count { try performOne() }
    }

    private mutating func performOne() throws {
        guard let table = random.pick(tables) else { return }
        let number = random.below(SimulatedSchema.idCount)
        let id = SimulatedSchema.id(number, of: table)
        if table.name == SimulatedSchema.meter.name { return try count(id) }
        guard let line = try line(of: table, id) else { return try insertNew(table, id, number) }
        switch random.below(100) {
        case ..<50: try update(line, assignments(table, atLeast: 1))
        case ..<62: try updateMany(table)
        case ..<74: try delete(line)
        case ..<82: try replace(line, assignments(table, atLeast: 0))
        case ..<92: try upsert(table, id, line.channel, assignments(table, atLeast: 1), over: line)
        default:
            try delete(line)
            try insert(table, id, line.channel, assignments(table, atLeast: 0))
        }
    }

    private mutating func insertNew(_ table: Table, _ id: Value, _ number: Int) throws {
        let channel = channel(table, id, number)
        let assignments = assignments(table, atLeast: 0)
        if random.chance(percent: 30), !assignments.isEmpty {
            try upsert(table, id, channel, assignments, over: nil)
        } else {
            try insert(table, id, channel, assignments)
        }
    }

    private mutating func count(_ id: Value) throws {
        let amount = Int64(random.below(1 << 30)) - 1 << 28
        try port.run("INSERT OR IGNORE INTO meter(id) VALUES(?)", [id])
        try port.run("UPDATE meter SET count = count + ? WHERE id = ?", [.integer(amount), id])
        draft.add(LedgerPlace(table: "meter", id: id, column: "count"), amount)
    }

    /// Imports many rows that nobody else has.
    mutating func importRows(_ count: Int) throws {
        guard let table = tables.first(where: { $0.name == "item" }) else { return }
        let columns = Array(table.columns.prefix(3))
        for number in 0..<count {
            let id = Value.text("i\(values.salt.bigEndianBytes.hex)-\(number * 7919 % 100_000)")
            let row = columns.map { (column: $0, value: values.unique($0.type), isUnique: true) }
            // A few stand for all: the ledger would grow as large as the store.
            try insert(table, id, nil, row, isNoted: number.isMultiple(of: 97))
        }
    }

    // MARK: drawing

    private mutating func assignments(_ table: Table, atLeast least: Int) -> [Assignment] {
        var columns = table.columns
        let count = max(least, random.below(min(columns.count, 4) + 1))
        var result: [Assignment] = []
        while result.count < count, !columns.isEmpty {
            let column = columns.remove(at: random.below(columns.count))
            let (value, isUnique) = values.next(column.type)
            let isCounter = column.rule == .counter
            result.append(
                (column, isCounter ? .integer(Int64(random.below(2001)) - 1000) : value, isUnique && !isCounter))
        }
        return result
    }

    private mutating func channel(_ table: Table, _ id: Value, _ number: Int) -> Value? {
        guard case .column = table.channel else { return nil }
        let isMisplaced = random.chance(percent: 4)
        if isMisplaced { draft.misplaced.append(Ledger.row(table.name, id)) }
        return .text(SimulatedSchema.channel(isMisplaced ? number + 1 : number))
    }

    // MARK: statements

    private func line(of table: Table, _ id: Value) throws -> Line? {
        let names = Self.channelColumn(table) + table.columns.map(\.name)
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        guard let row = try port.rows("SELECT \(list) FROM \"\(table.name)\" WHERE id = ?", [id]).first else {
            return nil
        }
        let values = row.suffix(table.columns.count)
        return Line(
            table: table, id: id, channel: row.dropLast(values.count).first,
            values: Dictionary(uniqueKeysWithValues: zip(table.columns.map(\.name), values)))
    }

    private static func channelColumn(_ table: Table) -> [String] {
        if case .column(let name) = table.channel { return [name] }
        return []
    }

    private mutating func insert(
        _ table: Table, _ id: Value, _ channel: Value?, _ assignments: [Assignment], isNoted: Bool = true
    ) throws {
        try port.run(Self.insertion("INSERT", table, assignments), Self.arguments(id, channel, assignments))
        guard isNoted else { return }
        noteAll(table, id, assignments, over: nil)
    }

    private mutating func replace(_ line: Line, _ assignments: [Assignment]) throws {
        let sql = Self.insertion("INSERT OR REPLACE", line.table, assignments)
        try port.run(sql, Self.arguments(line.id, line.channel, assignments))
        noteAll(line.table, line.id, assignments, over: line)
    }

    private mutating func upsert(
        _ table: Table, _ id: Value, _ channel: Value?, _ assignments: [Assignment], over line: Line?
    ) throws {
        let sets = assignments.map { "\"\($0.column.name)\" = excluded.\"\($0.column.name)\"" }.joined(separator: ", ")
        let sql = Self.insertion("INSERT", table, assignments) + " ON CONFLICT(id) DO UPDATE SET \(sets)"
        try port.run(sql, Self.arguments(id, channel, assignments))
        if let line {
            noteChanged(line, assignments, isAdded: false)
        } else {
            noteAll(table, id, assignments, over: nil)
        }
    }

    private mutating func update(_ line: Line, _ assignments: [Assignment]) throws {
        try port.run(
            "UPDATE \"\(line.table.name)\" SET \(Self.sets(assignments)) WHERE id = ?",
            assignments.map(\.value) + [line.id])
        noteChanged(line, assignments)
    }

    /// One statement that touches several rows.
    private mutating func updateMany(_ table: Table) throws {
        let assignments = assignments(table, atLeast: 1)
        let first = random.below(SimulatedSchema.idCount)
        let ids = (first..<first + 5).map { SimulatedSchema.id($0 % SimulatedSchema.idCount, of: table) }
        let lines = try ids.compactMap { try line(of: table, $0) }
        let marks = ids.map { _ in "?" }.joined(separator: ", ")
        try port.run(
            "UPDATE \"\(table.name)\" SET \(Self.sets(assignments)) WHERE id IN (\(marks))",
            assignments.map(\.value) + ids)
        for line in lines { noteChanged(line, assignments) }
    }

    private mutating func delete(_ line: Line) throws {
        try port.run("DELETE FROM \"\(line.table.name)\" WHERE id = ?", [line.id])
        for (column, value) in line.values {
            let place = LedgerPlace(table: line.table.name, id: line.id, column: column)
            draft.seen[place, default: []].formUnion(seen(place, value))
        }
        draft.deleted.append(
            .init(table: line.table.name, id: line.id, knownColumns: Set(line.table.columns.map(\.name))))
    }

    private static func sets(_ assignments: [Assignment]) -> String {
        assignments.map {
            $0.column.rule == .counter
                ? "\"\($0.column.name)\" = \"\($0.column.name)\" + ?" : "\"\($0.column.name)\" = ?"
        }.joined(separator: ", ")
    }

    private static func insertion(_ verb: String, _ table: Table, _ assignments: [Assignment]) -> String {
        let names = ["id"] + channelColumn(table) + assignments.map(\.column.name)
        let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        return "\(verb) INTO \"\(table.name)\"(\(list)) VALUES(\(marks))"
    }

    private static func arguments(_ id: Value, _ channel: Value?, _ assignments: [Assignment]) -> [Value] {
        [id] + (channel.map { [$0] } ?? []) + assignments.map(\.value)
    }

    // MARK: notes

    private func seen(_ place: LedgerPlace, _ shown: Value?) -> Set<Value> {
        (losers[place] ?? []).union(shown.map { [$0] } ?? [])
    }

    /// An insert writes every column.
    private mutating func noteAll(_ table: Table, _ id: Value, _ assignments: [Assignment], over line: Line?) {
        for column in table.columns {
            let place = LedgerPlace(table: table.name, id: id, column: column.name)
            let assigned = assignments.first { $0.column.name == column.name }
            let before = line == nil ? [] : seen(place, line?.values[column.name])
            draft.write(
                place, assigned?.value ?? column.defaultValue, isUnique: assigned?.isUnique ?? false, seen: before)
        }
    }

    /// An update writes the columns whose values it changes; what it makes of counters is added.
    private mutating func noteChanged(_ line: Line, _ assignments: [Assignment], isAdded: Bool = true) {
        for assignment in assignments {
            let place = LedgerPlace(table: line.table.name, id: line.id, column: assignment.column.name)
            let before = line.values[assignment.column.name] ?? .null
            if assignment.column.rule == .counter {
                draft.add(place, assignment.value.counted &- (isAdded ? 0 : before.counted))
                continue
            }
            guard before != assignment.value else { continue }
            draft.write(
                place, assignment.value, isUnique: assignment.isUnique,
                seen: seen(place, before))
        }
    }
}
