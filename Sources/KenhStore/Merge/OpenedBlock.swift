import KenhMerge
import KenhProtocol

/// A block made ready to be merged here: decoded, its tables and columns in this node's numbers, its pins resolved.
final class OpenedBlock {
    struct TableMap {
        let table: LocalTable
        /// This node's number of each of the body's columns, and the reverse (−1: the body does not name it).
        let columns: [Int]
        let places: [Int]
        let isIdentity: Bool
    }

    let block: Block
    let body: BlockBody
    let channel: Int
    let acceptedAt: Int64?
    /// Changes that nobody merges.
    let struck: ChangeSet
    /// Changes whose writes are in no row's state, since the row is deleted for good.
    let final: ChangeSet
    private(set) var maps: [TableMap] = []
    /// The branch that each reference means: 0 the block's own, then the pins.
    let branches: [Int]
    var branch: Int { branches[0] }

    /// - Parameter body: complete: every row has its id.
    init(
        _ block: Block, body: BlockBody, channel: Int, branches: [Int], acceptedAt: Int64?,
        struck: ChangeSet, final: ChangeSet
    ) {
        (self.struck, self.final) = (struck, final)
        self.block = block
        self.body = body
        self.channel = channel
        self.branches = branches
        self.acceptedAt = acceptedAt
    }

    func meetTables(_ catalogue: TableCatalogue, _ sql: StatementCache) throws(StoreError) {
        maps = []
        for named in body.tables {
            let table = try catalogue.meet(named, sql)
            guard table.idType == named.idType else {
                throw StoreError(.malformedBlock, "a block gives \(named.name) another type of id")
            }
            let columns = named.columns.map { table.column($0) ?? 0 }
            var places = [Int](repeating: -1, count: table.columns.count)
            for (place, column) in columns.enumerated() { places[column] = place }
            maps.append(
                TableMap(
                    table: table, columns: columns, places: places, isIdentity: columns == Array(columns.indices)))
        }
    }

    @inline(__always)
    func table(_ change: Int) -> LocalTable { maps[Int(body.tableRefs[change])].table }

    @inline(__always)
    func columns(_ change: Int) -> ColumnSet {
        let number = Int(body.tableRefs[change])
        let mask = body.masks[change]
        if maps[number].isIdentity { return ColumnSet(rawValue: mask) }
        var result: ColumnSet = []
        ColumnSet(rawValue: mask).forEach { result.insert(.column(maps[number].columns[$0])) }
        return result
    }

    /// The value that a change carries for one of this node's columns.
    @inline(__always)
    func value(_ change: Int, column: Int) -> ValueRef {
        let place = maps[Int(body.tableRefs[change])].places[column]
        let rank = (body.masks[change] & (1 << UInt64(place) - 1)).nonzeroBitCount
        return body.values[Int(body.valueStarts[change]) + rank]
    }

    func clock(_ change: Int) -> HybridClock { body.clocks[change].effective(acceptedAtMilliseconds: acceptedAt) }

    func counter(_ change: Int) -> UInt64 { block.header.firstCounter &+ UInt64(change) }

    func dot(_ change: Int) -> Dot { Dot(branch: UInt32(branch), counter: counter(change)) }

    /// What a change names, as this node knows it. A counter that its line does not have names nothing that could ever be
    /// here.
    func named(by change: Int, _ index: BranchIndex, into dots: inout [Dot]) {
        for wire in body.predecessors(of: change) {
            if let dot = index.dot(counter: wire.counter, onLineOf: branches[Int(wire.reference)]) { dots.append(dot) }
        }
    }
}
