import KenhMerge
import KenhProtocol

/// A value that can be taken out of the history.
public struct ErasableValue: Sendable, Equatable {
    public let channel: String
    public let name: Erasure.Name
    public let value: Value
}

extension Store {
    /// Every value of erasable columns that any change of a row wrote and that is still there, whatever became of it:
    /// shown, a loser, superseded, removed or struck. In order of channels and blocks.
    ///
    /// - Parameter columns: only these; empty for all erasable ones.
    /// - Throws: ``StoreError``: `notFound` where there is no such table, row or column, `notErasable`.
    public func erasable(table: String, id: String, columns: [String] = []) throws(StoreError) -> [ErasableValue] {
        try Self.check(columns, of: table, in: schema)
        return try reading { core in
            guard let local = core.catalogue.table(table) else { throw Self.noTable(table) }
            let key = local.idType == .text ? Array(id.utf8) : [UInt8](hex: id) ?? []
            var found: [ErasableValue] = []
            var isKnown = false
            for channel in core.channels.all {
                try core.blocks.forEach(channel: channel.number) { block, _, _ in
                    let body = try core.births.open(block, channel: channel.number)
                    guard let number = body.tables.firstIndex(where: { $0.name == table }) else { return }
                    func isOfRow(_ change: Int) -> Bool {
                        Int(body.tableRefs[change]) == number && body.id(of: change).elementsEqual(key)
                    }
                    isKnown = isKnown || (0..<body.count).contains(where: isOfRow)
                    for value in body.committed where !value.isErased && isOfRow(value.change) {
                        let name = body.name(of: value, in: block.hash)
                        guard columns.isEmpty || columns.contains(name.column) else { continue }
                        found.append(
                            ErasableValue(channel: channel.name, name: name, value: body.value(of: value)))
                    }
                }
            }
            guard isKnown else {
                throw StoreError(.notFound, "\(table) has no row \(id)", advice: "check the id, or sync first")
            }
            return found
        }
    }

    private static func check(_ columns: [String], of table: String, in schema: Schema) throws(StoreError) {
        guard let declared = schema.table(table) else { throw noTable(table) }
        let erasable = declared.columns.filter(\.isErasable).map(\.name)
        let others = schema.tables.flatMap { table in
            table.columns.filter(\.isErasable).map { "\(table.name).\($0.name)" }
        }
        guard !erasable.isEmpty else {
            throw StoreError(
                .notErasable, "no column of \(table) is erasable",
                advice: others.isEmpty
                    ? "no column of this programme is" : "these are: \(others.joined(separator: ", "))")
        }
        for name in columns where !erasable.contains(name) {
            guard declared.columns.contains(where: { $0.name == name }) else {
                throw StoreError(
                    .notFound, "\(table) has no column \(name)",
                    advice: "its erasable columns are \(erasable.joined(separator: ", "))")
            }
            throw StoreError(
                .notErasable, "\(table).\(name) is not erasable: its values are signed with everything else",
                advice: "the erasable columns of \(table) are \(erasable.joined(separator: ", "))")
        }
    }
}

extension BlockBody {
    fileprivate func value(of committed: CommittedValue) -> Value {
        let rank = (masks[committed.change] & (1 << UInt64(committed.column) - 1)).nonzeroBitCount
        return value(values[Int(valueStarts[committed.change]) + rank])
    }
}
