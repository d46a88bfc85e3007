import KenhMerge
import KenhProtocol

/// Makes a snapshot the beginning of a channel's state: its rows are put in, and the blocks that it covers, which are
/// here without their bodies, count as merged.
///
/// What is here of the channel otherwise was written by somebody who had seen nothing of the snapshot, since what builds
/// on a block that is not merged waits. So the states are joined.
struct SnapshotAdoption {
    private let core: StoreCore
    private let channel: Int
    private let manifest: SnapshotManifest
    private let blocks: [UInt64: Covered]

    private struct Covered {
        let branch: UInt32
        let first: UInt64
        let count: UInt64
    }

    /// - Throws: ``StoreError`` with code `unusableSnapshot` where the log's blocks are not those of the snapshot.
    init(core: StoreCore, channel: Int, manifest: SnapshotManifest) throws(StoreError) {
        (self.core, self.channel, self.manifest) = (core, channel, manifest)
        let read = try core.sql(
            "SELECT base_sequence, branch, first_counter, changes FROM kenh_block WHERE ch = ? AND base_sequence IS NOT NULL"
        )
        defer { read.reset() }
        read.bind(1, channel)
        var blocks: [UInt64: Covered] = [:]
        while try read.step() {
            if read.isNull(1) { continue }
            blocks[UInt64(clamping: read.int(0))] = Covered(
                branch: UInt32(clamping: read.int(1)), first: UInt64(clamping: read.int(2)),
                count: UInt64(clamping: read.int(3)))
        }
        self.blocks = blocks
        guard blocks.count + manifest.waiting.count == manifest.blocks else {
            throw Self.unusable(
                core, channel,
                "the log has \(blocks.count) of the \(manifest.blocks) blocks that the channel's snapshot covers")
        }
    }

    static func unusable(_ core: StoreCore, _ channel: Int, _ reason: String) -> StoreError {
        StoreError(
            .unusableSnapshot, reason, advice: "the channel is taken from its first block instead", recovery: .retry,
            channel: core.channels.name(channel))
    }

    /// - Returns: the tables that changed.
    func run() throws -> Set<Int> {
        let pass = MergePass([], core: core)
        var digest = Digest128.zero
        var rows: UInt64 = 0
        let table = SnapshotTable(core: core)
        for number in manifest.chunks.indices {
            let chunk: SnapshotChunk
            do { chunk = try table.chunk(number, of: manifest, channel: channel) } catch let error as ProtocolError {
                throw Self.unusable(core, channel, error.message)
            }
            rows += try adopt(chunk, pass, &digest)
        }
        pass.finishAdopting()
        guard digest == manifest.digest, rows == manifest.rows else {
            throw Self.unusable(core, channel, "the rows of the channel's snapshot are not those of its manifest")
        }
        let mark = try core.sql(
            "UPDATE kenh_block SET is_applied = 1 WHERE ch = ? AND base_sequence IS NOT NULL AND NOT \(BlockTable.hasBody)"
        )
        mark.bind(1, channel)
        try mark.run()
        try table.set(.adopted, channel: channel)
        // What it remembers of blocks was read before.
        try core.index.load()
        try core.struck.load()
        return pass.touchedTables
    }

    /// - Returns: how many rows have a state.
    private func adopt(_ chunk: SnapshotChunk, _ pass: MergePass, _ digest: inout Digest128) throws -> UInt64 {
        let tables = try chunk.tables.map { try meet($0) }
        var rows: [(table: Int, id: [UInt8], writes: [SnapshotWrite])] = []
        for (place, item) in chunk.items {
            switch item {
            case .struck(let named):
                try core.struck.add(dot(place), named: try named.map { try dot($0) })
            case .row(_, _, let writes) where writes.isEmpty: continue
            case .row(let table, let id, let writes): rows.append((table, id, writes))
            }
        }
        // As merged blocks are: each row beside the one before it.
        rows.sort {
            let (a, b) = (tables[$0.table].table.number, tables[$1.table].table.number)
            return a != b ? a < b : $0.id.lexicographicallyPrecedes($1.id)
        }
        for row in rows {
            let known = tables[row.table]
            let state = RowState(writes: try row.writes.map { try write($0, known.columns) })
            digest += try pass.adopt(state, table: known.table, id: row.id, channel: channel)
        }
        return UInt64(rows.count)
    }

    private func meet(_ named: BodyTable) throws(StoreError) -> (table: LocalTable, columns: [Int]) {
        let table = try core.catalogue.meet(named, core.sql)
        guard table.idType == named.idType else {
            throw Self.unusable(core, channel, "a snapshot gives \(named.name) another type of id")
        }
        return (table, named.columns.map { table.column($0) ?? 0 })
    }

    private func write(_ write: SnapshotWrite, _ columns: [Int]) throws(StoreError) -> Write {
        var set: ColumnSet = write.isInsert ? .existence : []
        var held: [HeldValue] = []
        for (column, value) in write.values {
            set.insert(.column(columns[column]))
            held.append(HeldValue(column: UInt8(columns[column]), value: value))
        }
        held.sort { $0.column < $1.column }
        return Write(
            dot: try dot(write.dot), clock: write.clock, isRemoved: write.isRemoved, isDelta: write.isDelta,
            columns: set, held: held)
    }

    private func dot(_ dot: SnapshotDot) throws(StoreError) -> Dot {
        guard let block = blocks[dot.sequence], dot.index < block.count else {
            throw Self.unusable(core, channel, "the channel's snapshot names a change that its log does not have")
        }
        return Dot(branch: block.branch, counter: block.first &+ dot.index)
    }
}
