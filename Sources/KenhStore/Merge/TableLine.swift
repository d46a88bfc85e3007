import KenhMerge
import KenhProtocol

/// Reads and writes single lines of a synced table with its triggers off.
struct TableLine {
    let core: StoreCore
    let table: LocalTable

    private func bind(_ statement: Statement, _ index: Int32, id: [UInt8]) {
        if table.idType == .text { statement.bind(index, copyingText: id) } else { statement.bind(index, copying: id) }
    }

    /// The values of the declared columns in their order; nil where there is no such line.
    func read(id: [UInt8]) throws(StoreError) -> [Value]? {
        let read = try table.statements.read(table, core.sql)
        defer { read.reset() }
        bind(read, 1, id: id)
        guard try read.step() else { return nil }
        return table.declaredNumbers.indices.map { read.value(Int32($0)) }
    }

    /// The channel of the line that is there; nil where there is none, or its channel is not known.
    func channel(id: [UInt8]) throws(StoreError) -> Int? {
        let name = table.channelColumn.map { quoted($0) } ?? "NULL"
        let read = try core.sql("SELECT \(name) FROM \(quoted(table.name)) WHERE id = ?")
        defer { read.reset() }
        bind(read, 1, id: id)
        guard try read.step() else { return nil }
        return core.channels.find(table.constantChannel ?? read.string(0))?.number
    }

    /// Brings text that is no UTF-8 to the form in which it was sealed.
    func repair(id: [UInt8], column: Int) throws(StoreError) {
        let name = quoted(table.columns[column].name)
        let read = try core.sql("SELECT \(name) FROM \(quoted(table.name)) WHERE id = ?")
        bind(read, 1, id: id)
        guard try read.step(), case .text(let bytes) = read.value(0) else { return read.reset() }
        read.reset()
        guard !bytes.withUnsafeBytes(UTF8Check.isTextWithoutNUL) else { return }
        let write = try core.sql("UPDATE \(quoted(table.name)) SET \(name) = ?2 WHERE id = ?1")
        bind(write, 1, id: id)
        write.bind(2, copying: bytes.withUnsafeBytes { Value.text(repairing: $0) })
        core.capture(false)
        try write.run()
    }

    func delete(id: [UInt8]) throws(StoreError) {
        let delete = try core.sql("DELETE FROM \(quoted(table.name)) WHERE id = ?")
        bind(delete, 1, id: id)
        core.capture(false)
        try delete.run()
    }
}
