import KenhMerge
import KenhProtocol

/// Goes through a channel's merged blocks in the log's order and writes each row down where its first change stands, so
/// that a later block's birth dots lead to their rows.
final class SnapshotWriting {
    private let core: StoreCore
    private let channel: Int
    private let sequences: [Hash256: UInt64]
    /// Rows that were written where an insert stands of which their states know nothing any more.
    private var early: Set<RowKey> = []
    private var chunk = SnapshotChunkWriter()
    /// This store's numbers of the chunk's tables and columns.
    private var tables: [Int: (number: Int, columns: [Int: Int])] = [:]
    private var struck: [SnapshotDot: [SnapshotDot]] = [:]
    private var rows: UInt64 = 0

    init(core: StoreCore, channel: Int, sequences: [Hash256: UInt64]) {
        (self.core, self.channel, self.sequences) = (core, channel, sequences)
    }

    /// - Parameter blocks: those that are merged.
    /// - Returns: how many rows have a state.
    func run(
        _ blocks: Set<Hash256>, _ emit: (_ plain: [UInt8], _ first: SnapshotDot) throws -> Void
    ) throws -> UInt64 {
        for dot in try core.struck.all() {
            struck[try place(dot)] = try core.struck.named(by: dot).map { try place($0) }.sorted()
        }
        let order = sequences.filter { blocks.contains($0.key) }.sorted { $0.value < $1.value }
        for (hash, sequence) in order {
            guard let block = try core.blocks.block(hash) else { throw BranchIndex.damaged }
            let opened = try OpenedBlock(reopening: block, channel: channel, core)
            for change in 0..<opened.body.count {
                try write(change, of: opened, at: SnapshotDot(sequence: sequence, index: UInt64(change)))
                if chunk.byteCount >= Limits.snapshotChunkTarget { try finishChunk(emit) }
            }
        }
        try finishChunk(emit)
        return rows
    }

    private func finishChunk(_ emit: (_ plain: [UInt8], _ first: SnapshotDot) throws -> Void) throws {
        guard let first = chunk.first else { return }
        let plain = chunk.finish()
        guard plain.count <= Limits.snapshotChunkBytes else {
            throw StoreError(.refusedValue, "a row of \(core.channels.name(channel)) is too large for a snapshot")
        }
        try emit(plain, first)
        (chunk, tables) = (SnapshotChunkWriter(), [:])
    }

    private func write(_ change: Int, of block: OpenedBlock, at place: SnapshotDot) throws {
        if let named = struck[place] { chunk.add(.struck(named: named), at: place) }
        let isInsert = block.body.kinds[change] == .insert
        let row = RowKey(block, change)
        let table = block.table(change)
        let state = try core.rows.states(table: table, id: row.id)[channel]
        let writes = try state.map { try self.writes(of: $0, table) } ?? []
        let isFirst = writes.first.map { place <= $0.dot } ?? false
        if isFirst, !early.contains(row) {
            rows += 1
            if writes.first?.dot != place { early.insert(row) }
            chunk.add(.row(table: number(of: table), id: row.id, writes: numbered(writes, table)), at: place)
        } else if isInsert {
            chunk.add(.row(table: number(of: table), id: row.id, writes: []), at: place)
        }
    }

    private func place(_ dot: Dot) throws -> SnapshotDot {
        let place = try core.index.place(of: dot)
        guard let sequence = sequences[place.hash] else { throw BranchIndex.damaged }
        return SnapshotDot(sequence: sequence, index: place.index)
    }

    /// In the order of their places. Columns are this store's.
    private func writes(of state: RowState, _ table: LocalTable) throws -> [SnapshotWrite] {
        try state.writes.map { write in
            SnapshotWrite(
                dot: try place(write.dot), isRemoved: write.isRemoved, isDelta: write.isDelta,
                isInsert: write.columns.contains(.existence), clock: write.clock,
                values: write.held.map { (Int($0.column), $0.value) })
        }.sorted { $0.dot < $1.dot }
    }

    /// Columns get their numbers in the order of their names.
    private func numbered(_ writes: [SnapshotWrite], _ table: LocalTable) -> [SnapshotWrite] {
        writes.map { write in
            var write = write
            let named = write.values.sorted { table.columns[$0.column].name < table.columns[$1.column].name }
            write.values = named.map { (column(table, $0.column), $0.value) }.sorted { $0.column < $1.column }
            return write
        }
    }

    private func number(of table: LocalTable) -> Int {
        if let known = tables[table.number] { return known.number }
        let number = chunk.table(table.name, table.idType)
        tables[table.number] = (number, [:])
        return number
    }

    private func column(_ table: LocalTable, _ column: Int) -> Int {
        if let known = tables[table.number]?.columns[column] { return known }
        let number = chunk.column(table.columns[column].name, of: self.number(of: table))
        tables[table.number]?.columns[column] = number
        return number
    }
}
