import KenhMerge

/// The rows that a block inserts: what the dots of those inserts stand for where a later block names its rows by them
/// (form 02 of the ids in block-format.md).
public struct BlockBirths: Sendable {
    private let tables: [BodyTable]
    /// Of each change, its table; -1 where it is no insert.
    private var tableRefs: [Int32] = []
    /// The id of change i is `ids[ends[i - 1]..<ends[i]]`; empty where it is no insert.
    private var ends: [UInt32] = []
    private var ids: [UInt8] = []

    public var byteCount: Int { ids.count + ends.count * 8 }

    init(_ body: BlockBody) {
        tables = body.tables
        tableRefs.reserveCapacity(body.count)
        ends.reserveCapacity(body.count)
        for change in 0..<body.count {
            let isInsert = body.kinds[change] == .insert
            tableRefs.append(isInsert ? Int32(body.tableRefs[change]) : -1)
            if isInsert { ids.append(contentsOf: body.id(of: change)) }
            ends.append(UInt32(ids.count))
        }
    }

    /// - Parameter rows: inserts by their places in the block, ascending.
    init(rows: [(index: Int, table: BodyTable, id: [UInt8])]) {
        var tables: [BodyTable] = []
        var numbers: [String: Int32] = [:]
        for row in rows where (0..<Limits.changesPerBlock).contains(row.index) && row.index >= ends.count {
            while ends.count < row.index {
                tableRefs.append(-1)
                ends.append(UInt32(ids.count))
            }
            let number = numbers[row.table.name] ?? Int32(tables.count)
            if Int(number) == tables.count {
                tables.append(row.table)
                numbers[row.table.name] = number
            }
            tableRefs.append(number)
            ids.append(contentsOf: row.id)
            ends.append(UInt32(ids.count))
        }
        self.tables = tables
    }

    /// The id of the row that change `index` inserts; nil where it is no insert into that table.
    func id(of index: Int, table: BodyTable) -> ArraySlice<UInt8>? {
        guard tableRefs.indices.contains(index), tableRefs[index] >= 0 else { return nil }
        let own = tables[Int(tableRefs[index])]
        guard own.idType == table.idType, own.name == table.name else { return nil }
        return ids[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
    }
}

extension BlockBody {
    /// Gives the change at `place` of ``births`` the id of the row that change `index` of another block inserts.
    ///
    /// - Throws: ``ProtocolError`` with code `malformed` where that is no insert into the change's table, or all ids
    ///   together are too large.
    public mutating func name(_ place: Int, after births: BlockBirths, at index: Int) throws(ProtocolError) {
        let change = self.births[place].change
        guard let id = births.id(of: index, table: tables[Int(tableRefs[change])]) else {
            throw ProtocolError(.malformed, "a change names its row by a dot that inserts no such row")
        }
        guard arena.count + id.count <= Limits.arenaBytes else {
            throw ProtocolError(.malformed, "the rows that a block names by birth dots have too large ids")
        }
        idStarts[change] = UInt32(arena.count)
        idLengths[change] = UInt32(id.count)
        arena.append(contentsOf: id)
    }
}
