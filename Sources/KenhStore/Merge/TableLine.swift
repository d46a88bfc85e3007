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
        let names = (table.declared?.columns ?? []).map { quoted($0.name) }
        let list = names.isEmpty ? "1" : names.joined(separator: ", ")
        let read = try core.sql("SELECT \(list) FROM \(quoted(table.name)) WHERE id = ?")
        defer { read.reset() }
        bind(read, 1, id: id)
        guard try read.step() else { return nil }
        return names.indices.map { read.value(Int32($0)) }
    }

    func delete(id: [UInt8]) throws(StoreError) {
        let delete = try core.sql("DELETE FROM \(quoted(table.name)) WHERE id = ?")
        bind(delete, 1, id: id)
        try delete.run()
    }
}
