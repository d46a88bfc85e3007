import KenhMerge
import KenhProtocol

/// Packed row states in `kenh_row`, and the list of rows that people may have to look at.
final class RowTable {
    private let sql: StatementCache
    private let read: RowStatement
    private let readOn: RowStatement
    private let insert: RowStatement
    private let update: RowStatement
    // Touched for every row and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var writer = ByteWriter()
    @exclusivity(unchecked) private var gap = RowGap()

    init(_ sql: StatementCache) {
        self.sql = sql
        read = RowStatement(sql, "SELECT ch, state FROM kenh_row WHERE tbl = ? AND id = ?")
        readOn = RowStatement(sql, "SELECT ch, state, id FROM kenh_row WHERE tbl = ? AND id >= ? ORDER BY id, ch")
        insert = RowStatement(sql, "INSERT INTO kenh_row(tbl, id, ch, state) VALUES(?, ?, ?, ?)")
        // The row is there. REPLACE looks it up once less than UPDATE does in a table without rowids.
        update = RowStatement(sql, "REPLACE INTO kenh_row(tbl, id, ch, state) VALUES(?, ?, ?, ?)")
    }

    /// At the start of a transaction: others may have written.
    func forget() { gap = RowGap() }

    /// The states of an id, by channel: almost always none or one. Of an inserted row there is most likely none, nor of
    /// those inserted after it: the next id that is there is looked up, too.
    func load(
        table: LocalTable, id: UnsafeRawBufferPointer, isInserted: Bool = false, into state: inout RowState
    ) throws(StoreError) -> (channel: Int, others: [(channel: Int, state: RowState)])? {
        if gap.contains(id, of: table.number) { return nil }
        let read = try isInserted ? readOn() : self.read()
        bind(read, table, id)
        guard try isNext(id, of: table, read, goesOn: isInserted) else { return nil }
        let channel = Int(read.int(0))
        try Self.unpack(read, of: table, into: &state)
        var others: [(channel: Int, state: RowState)] = []
        while try isNext(id, of: table, read, goesOn: isInserted) {
            var other = RowState()
            try Self.unpack(read, of: table, into: &other)
            others.append((Int(read.int(0)), other))
        }
        return (channel, others)
    }

    /// Steps to the id's next state. Where the statement goes on to other ids, what lies before the next one is known to
    /// be empty.
    private func isNext(
        _ id: UnsafeRawBufferPointer, of table: LocalTable, _ read: Statement, goesOn: Bool
    ) throws(StoreError) -> Bool {
        guard goesOn else { return try read.step() }
        guard try read.step() else {
            gap.open(table.number, after: id, before: nil)
            return false
        }
        let next = read.bytes(2)
        if IDOrder.compare(next, id) == 0 { return true }
        gap.open(table.number, after: id, before: next)
        read.reset()
        return false
    }

    /// All states of an id, by channel.
    func states(table: LocalTable, id: [UInt8]) throws(StoreError) -> [Int: RowState] {
        var state = RowState()
        var states: [Int: RowState] = [:]
        let failure = id.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) {
                guard let found = try load(table: table, id: bytes, into: &state) else { return nil }
                states[found.channel] = state
                for other in found.others { states[other.channel] = other.state }
            } catch { return error }
            return nil
        }
        if let failure { throw failure }
        return states
    }

    func contains(table: LocalTable, id: [UInt8]) throws(StoreError) -> Bool {
        try !states(table: table, id: id).isEmpty
    }

    /// Every row's table and id, once.
    func forEachID(_ body: (_ table: Int, _ id: Value) throws -> Void) throws {
        let read = try sql("SELECT DISTINCT tbl, id FROM kenh_row ORDER BY tbl, id")
        defer { read.reset() }
        while try read.step() { try body(Int(read.int(0)), read.value(1)) }
    }

    /// Every row's states.
    func forEach(
        of catalogue: TableCatalogue, _ body: (_ row: RowKey, _ channel: Int, _ state: RowState) throws -> Void
    ) throws {
        let read = try sql("SELECT tbl, id, ch, state FROM kenh_row")
        defer { read.reset() }
        var state = RowState()
        while try read.step() {
            guard let table = catalogue.tables[Int(read.int(0))] else { throw BranchIndex.damaged }
            try Self.unpack(read.bytes(3), of: table, into: &state)
            try body(RowKey(table: table.number, id: read.array(1)), Int(read.int(2)), state)
        }
    }

    /// A statement that is left half-run would keep its parameters.
    private static func unpack(
        _ read: Statement, of table: LocalTable, into state: inout RowState
    ) throws(StoreError) {
        do throws(StoreError) { try unpack(read.bytes(1), of: table, into: &state) } catch {
            read.reset()
            throw error
        }
    }

    /// Bytes from disk: whatever they are, the state refers to nothing that the table does not have.
    static func unpack(
        _ bytes: UnsafeRawBufferPointer, of table: LocalTable, into state: inout RowState
    ) throws(StoreError) {
        do throws(MalformedBytes) { try state.unpack(bytes) } catch { throw damaged }
        let known = ColumnSet.first(table.columns.count)
        for write in state.writes {
            guard known.union(.existence).isSuperset(of: write.columns),
                write.held.allSatisfy({ known.contains(column: Int($0.column)) })
            else { throw damaged }
        }
    }

    private static let damaged = StoreError(
        .corrupt, "a row's state is damaged", advice: "run kenh verify and restore a backup")

    private func bind(_ statement: Statement, _ table: LocalTable, _ id: UnsafeRawBufferPointer) {
        statement.bind(1, table.number)
        if table.idType == .text { statement.bind(2, text: id) } else { statement.bind(2, blob: id) }
    }

    func save(
        _ state: RowState, table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, isNew: Bool
    ) throws(StoreError) {
        if isNew { gap.narrow(to: id, of: table.number) }
        let write = try isNew ? insert() : update()
        bind(write, table, id)
        write.bind(3, channel)
        writer.bytes.removeAll(keepingCapacity: true)
        state.pack(into: &writer)
        let failure = writer.bytes.withUnsafeBytes { bytes -> StoreError? in
            write.bind(4, blob: bytes)
            do throws(StoreError) { try write.run() } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    func remove(table: LocalTable, id: UnsafeRawBufferPointer, channel: Int) throws(StoreError) {
        let delete = try sql("DELETE FROM kenh_row WHERE tbl = ? AND id = ? AND ch = ?")
        bind(delete, table, id)
        delete.bind(3, channel)
        try delete.run()
        try setConflict(false, table: table, id: id, channel: channel)
    }

    func setConflict(_ isConflict: Bool, table: LocalTable, id: UnsafeRawBufferPointer, channel: Int) throws(StoreError)
    {
        let write = try sql(
            isConflict
                ? "INSERT OR IGNORE INTO kenh_conflict(tbl, id, ch) VALUES(?, ?, ?)"
                : "DELETE FROM kenh_conflict WHERE tbl = ? AND id = ? AND ch = ?")
        bind(write, table, id)
        write.bind(3, channel)
        try write.run()
    }
}
