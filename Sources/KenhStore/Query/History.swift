import KenhMerge
import KenhProtocol

/// A column of a change whose value nobody has any more.
public struct ErasedColumn: Sendable, Equatable {
    public let column: String
    /// When the centre said so, and why; nil while no erasure is known that names it.
    public let atMilliseconds: Int64?
    public let reason: String?
}

/// One change of a row as its block tells it.
public struct HistoryItem: Sendable, Equatable {
    public let kind: ChangeKind
    /// Code of the cell that wrote it.
    public let author: String
    public let officer: String
    /// What the writer's clock said, milliseconds since 1970.
    public let claimedAtMilliseconds: Int64
    /// When the centre took it; nil while it has not.
    public let acceptedAtMilliseconds: Int64?
    public let replica: ReplicaID
    public let counter: UInt64
    public let channel: String
    /// The columns that it wrote; empty for an addition.
    public let values: [(column: String, value: Value)]
    /// The columns whose values were erased since.
    public let erased: [ErasedColumn]
    /// What it added to counters.
    public let additions: [(column: String, amount: Int64)]
    /// How many earlier writes it had seen and replaced.
    public let supersedes: Int
    /// Why nobody merges it: its writer was not allowed to make it. Nil of all others.
    public let struckBecause: String?

    public static func == (a: HistoryItem, b: HistoryItem) -> Bool {
        a.replica == b.replica && a.counter == b.counter && a.channel == b.channel
            && a.values.elementsEqual(b.values, by: ==) && a.additions.elementsEqual(b.additions, by: ==)
            && a.erased == b.erased
    }
}

extension Store {
    /// Every change of a row that is in the blocks held here, in the order in which this node took them.
    ///
    /// Reads the blocks of the channels that the row is known in, so it costs as much as they are large.
    public func history(table: String, id: String) throws(StoreError) -> [HistoryItem] {
        try reading { core in
            guard let local = core.catalogue.table(table) else { throw Self.noTable(table) }
            let key = local.idType == .text ? Array(id.utf8) : [UInt8](hex: id) ?? []
            var items: [HistoryItem] = []
            for channel in try HistoryReader.channels(of: local, key: key, core) {
                try core.blocks.forEach(channel: channel) { block, acceptedAt, ruling in
                    guard block.header.count > 0, let body = try? core.births.open(block, channel: channel)
                    else { return }
                    items += try HistoryReader(
                        core: core, block: block, body: body, acceptedAt: acceptedAt, ruling: ruling
                    ).items(table: table, key: key)
                }
            }
            return items
        }
    }
}

private struct HistoryReader {
    let core: StoreCore
    let block: Block
    let body: BlockBody
    let acceptedAt: Int64?
    let ruling: Ruling?

    /// Of a row all of whose changes were struck, or that is deleted for good, there is no state.
    static func channels(of table: LocalTable, key: [UInt8], _ core: StoreCore) throws(StoreError) -> [Int] {
        let read = try core.sql(
            """
            SELECT ch FROM kenh_row WHERE tbl = ? AND id = ? UNION SELECT ch FROM kenh_block WHERE ruling IS NOT NULL
            UNION SELECT c.number FROM kenh_finality f JOIN kenh_channel c ON c.name = f.channel
            """)
        defer { read.reset() }
        read.bind(1, table.number)
        if table.idType == .text { read.bind(2, copyingText: key) } else { read.bind(2, copying: key) }
        var channels: [Int] = []
        while try read.step() { channels.append(Int(read.int(0))) }
        return channels
    }

    func items(table: String, key: [UInt8]) throws -> [HistoryItem] {
        guard let number = body.tables.firstIndex(where: { $0.name == table }) else { return [] }
        return try (0..<body.count)
            .filter { Int(body.tableRefs[$0]) == number && body.id(of: $0).elementsEqual(key) }
            .map { try item($0, body.tables[number]) }
    }

    private func erased(_ column: String, of change: Int) throws -> ErasedColumn {
        let account = try core.erasures.account(
            of: Erasure.Name(block: block.hash, place: change, column: column))
        return ErasedColumn(column: column, atMilliseconds: account?.atMilliseconds, reason: account?.reason)
    }

    private func item(_ change: Int, _ table: BodyTable) throws -> HistoryItem {
        let names = table.columns.indices.filter { body.masks[change] >> UInt64($0) & 1 == 1 }.map { table.columns[$0] }
        let carried = body.values(of: change)
        let values = zip(names, carried).filter { $1.tag != .commitment }.map { ($0, body.value($1)) }
        let isAddition = body.kinds[change] == .add
        return HistoryItem(
            kind: body.kinds[change], author: try RegistryTable(sql: core.sql).author(of: block.header.replica),
            officer: block.header.officer, claimedAtMilliseconds: body.clocks[change].milliseconds,
            acceptedAtMilliseconds: acceptedAt, replica: block.header.replica,
            counter: block.header.firstCounter + UInt64(change), channel: block.header.channel,
            values: isAddition ? [] : values.map { (column: $0, value: $1) },
            erased: try zip(names, carried).filter { $1.tag == .commitment }.map { name, _ in
                try erased(name, of: change)
            },
            additions: isAddition ? values.map { (column: $0, amount: $1.counted) } : [],
            supersedes: body.predecessors(of: change).count,
            struckBecause: ruling.flatMap { $0.struck.contains(change) ? $0.message : nil })
    }
}
