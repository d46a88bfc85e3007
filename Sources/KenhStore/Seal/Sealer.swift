import KenhMerge
import KenhProtocol

/// What a seal did.
public struct SealReport: Sendable, Equatable {
    public var changes = 0
    public var blocks = 0
}

/// Turns pending changes into signed blocks: gives them dots, clocks and predecessors, and brings the row states along.
///
/// It runs in one transaction with whatever follows, always before a merge, so that the states it reads are exactly
/// what the writers could have seen.
final class Sealer {
    private let core: StoreCore
    private let identity: StoreIdentity
    private let now: Int64
    private let clockOffset: Int64
    private var random: any RandomNumberGenerator
    // What follows is touched for every change and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var lanes: [Int: LaneWriter] = [:]
    @exclusivity(unchecked) private var report = SealReport()
    /// Stamps whose block had no hash yet when their row was written.
    @exclusivity(unchecked) private var unsummed: [Unsummed] = []
    @exclusivity(unchecked) private var gain = DigestGain()
    @exclusivity(unchecked) private var row = OpenRow()
    /// Rows with something left to do in their tables once all is sealed.
    private var shared: [RowRef] = []
    private var repaired: [(row: RowRef, column: Int)] = []
    @exclusivity(unchecked) private var counted = CountedRows()

    private struct RowRef {
        let table: LocalTable
        let id: [UInt8]
    }

    private struct Unsummed {
        let isAdded: Bool
        let seed: Digest128
        let table: LocalTable
        let channel: Int
        let write: Write
    }

    /// The row at hand: its changes follow one another.
    private struct OpenRow {
        var table: LocalTable?
        var channel = 0
        var id: [UInt8] = []
        var idPrefix: UInt64 = 0
        var seed = Digest128.zero
        var state = RowState()
        var isNew = true
        var mightConflict = false
        var isCounted = false
    }

    init(core: StoreCore, identity: StoreIdentity, now: Int64, random: any RandomNumberGenerator) throws(StoreError) {
        self.core = core
        self.identity = identity
        self.now = now
        self.random = random
        clockOffset = try core.meta.integer("clock_offset") ?? 0
    }

    func seal() throws -> SealReport {
        var lastSeq: Int64 = 0
        while true {
            let chunk = try PendingChunk(
                after: lastSeq, limit: core.limits.changesPerChunk, sql: core.sql, catalogue: core.catalogue,
                channels: core.channels)
            guard chunk.lastSeq > lastSeq else { break }
            // At once, so that what is written from here on takes the pages that this frees.
            try core.sql.execute(
                chunk.isLast ? "DELETE FROM kenh_pending" : "DELETE FROM kenh_pending WHERE seq <= \(chunk.lastSeq)")
            try seal(chunk)
            lastSeq = chunk.lastSeq
        }
        guard lastSeq > 0 else { return report }
        for lane in lanes.values.sorted(by: { $0.channel < $1.channel }) {
            try lane.finish()
            report.blocks += lane.blocks.count
        }
        try sum()
        try settleTables()
        try core.channels.flush()
        return report
    }

    private func settleTables() throws {
        try counted.holdBases(core)
        for (row, column) in repaired { try TableLine(core: core, table: row.table).repair(id: row.id, column: column) }
        let pass = MergePass([], core: core)
        for row in shared { try pass.showAmongOthers(table: row.table, id: row.id) }
        try Rebuilder(core: core).finish()
    }

    private func seal(_ chunk: PendingChunk) throws {
        for table in Set(chunk.refused.map(\.name)).sorted() {
            try core.notice("unsendable", at: now, "rows of \(table) stay here alone: their ids are no UTF-8 text")
        }
        for at in chunk.order() {
            let entry = chunk.entries[at]
            if !isAtHand(entry, of: chunk) {
                try closeRow()
                try openRow(entry, id: chunk.id(entry))
            }
            try seal(entry, of: chunk)
        }
        try closeRow()
    }

    // MARK: rows

    private func isAtHand(_ entry: PendingChunk.Entry, of chunk: PendingChunk) -> Bool {
        row.idPrefix == entry.idPrefix && row.table?.number == entry.table && row.channel == entry.channel
            && row.id.elementsEqual(chunk.id(entry))
    }

    private func openRow(_ entry: PendingChunk.Entry, id: ArraySlice<UInt8>) throws(StoreError) {
        guard let table = core.catalogue.tables[entry.table] else { return }
        row.table = table
        row.channel = entry.channel
        row.id.removeAll(keepingCapacity: true)
        row.id.append(contentsOf: id)
        row.idPrefix = entry.idPrefix
        row.seed = row.id.withUnsafeBytes { table.rowSeed($0) }
        row.isNew = true
        row.isCounted = false
        row.state.writes.removeAll(keepingCapacity: true)
        try withID { bytes throws(StoreError) in
            let isInserted = entry.kind == .insert
            guard let found = try core.rows.load(table: table, id: bytes, isInserted: isInserted, into: &row.state)
            else { return }
            if found.channel != entry.channel || !found.others.isEmpty {
                shared.append(RowRef(table: table, id: row.id))
            }
            if found.channel == entry.channel {
                row.isNew = false
            } else if let other = found.others.first(where: { $0.channel == entry.channel }) {
                row.state = other.state
                row.isNew = false
            } else {
                row.state.writes.removeAll(keepingCapacity: true)
            }
        }
        row.mightConflict = row.state.mayConflict
        if !row.isNew { try sumRow(isAdded: false) }
    }

    private func closeRow() throws(StoreError) {
        guard let table = row.table else { return }
        defer { row.table = nil }
        guard !row.state.writes.isEmpty else { return }
        try sumRow(isAdded: true)
        let mayConflict = row.state.mayConflict && row.state.isShown
        try withID { bytes throws(StoreError) in
            try core.rows.save(row.state, table: table, id: bytes, channel: row.channel, isNew: row.isNew)
            if mayConflict || row.mightConflict {
                try core.rows.setConflict(mayConflict, table: table, id: bytes, channel: row.channel)
            }
        }
    }

    private func withID(_ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void) throws(StoreError) {
        let failure = row.id.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try body(bytes) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    // MARK: changes

    private func seal(_ entry: PendingChunk.Entry, of chunk: PendingChunk) throws {
        guard let table = row.table else { return }
        if entry.kind != .update { counted.begin(countedRow(table)) }
        var change = LocalChange(entry: entry, columns: table.local(declaredMask: entry.mask))
        if row.state.writes.isEmpty, entry.kind != .insert {
            // Nobody captured the row's insert: triggers were off, or the table is older than Kenh.
            guard entry.kind == .update, let values = try currentValues(of: table) else { return }
            change = LocalChange(entry: entry, kind: .insert, columns: table.shown, values: values)
            counted.takeWhole(countedRow(table))
        }
        if change.kind == .delete, row.state.writes.allSatisfy(\.isRemoved) { return }
        if change.kind == .update, !entry.isSet, !change.columns.isDisjoint(with: table.counters) {
            return try sealCounted(change, of: chunk, table: table)
        }
        if change.kind == .update, change.columns.isEmpty { return }
        try append(change, of: chunk)
        report.changes += 1
    }

    /// One statement's update of registers and counters is two changes.
    private func sealCounted(_ update: LocalChange, of chunk: PendingChunk, table: LocalTable) throws {
        var registers = update
        registers.columns.subtract(table.counters)
        if !registers.columns.isEmpty {
            try append(registers, of: chunk)
            report.changes += 1
        }
        let amounts = amounts(update.entry, of: chunk, table: table)
        guard !amounts.isEmpty, !counted.isWhole(countedRow(table)) else { return }
        let columns = amounts.keys.reduce(into: ColumnSet()) { $0.insert(.column($1)) }
        try append(LocalChange(entry: update.entry, kind: .add, columns: columns, values: amounts), of: chunk)
        report.changes += 1
        row.state.writes[row.state.writes.count - 1].held = amounts.sorted { $0.key < $1.key }.map {
            HeldValue(column: UInt8($0.key), value: $0.value)
        }
        guard !row.isCounted, row.state.hasBaseInTable(columns) else { return }
        row.isCounted = true
        counted.change(countedRow(table))
    }

    /// What is no integer was put into the pending table by another program, and a block with it would be refused.
    private func amounts(_ entry: PendingChunk.Entry, of chunk: PendingChunk, table: LocalTable) -> [Int: Value] {
        var amounts: [Int: Value] = [:]
        var place = entry.valueStart
        ColumnSet(rawValue: entry.mask).forEach { declared in
            let (column, ref) = (table.declaredNumbers[declared], chunk.values[place])
            if table.counters.contains(column: column), ref.tag == .integer { amounts[column] = chunk.value(ref) }
            place += 1
        }
        return amounts
    }

    private func countedRow(_ table: LocalTable) -> CountedRows.Row {
        CountedRows.Row(table: table.number, channel: row.channel, id: row.id)
    }

    private struct LocalChange {
        let entry: PendingChunk.Entry
        var kind: ChangeKind
        var columns: ColumnSet
        /// Set where the values are not the captured ones.
        var values: [Int: Value]?

        init(entry: PendingChunk.Entry, kind: ChangeKind? = nil, columns: ColumnSet, values: [Int: Value]? = nil) {
            self.entry = entry
            self.kind = kind ?? entry.kind
            self.columns = self.kind == .delete ? [] : columns
            self.values = values
        }
    }

    private func append(_ local: LocalChange, of chunk: PendingChunk) throws {
        guard let table = row.table else { return }
        let lane = try lane(local.entry, of: chunk)
        let builder = try lane.builder(officer: chunk.officer(local.entry))
        var change = Change(
            dot: Dot(branch: 0, counter: 0), clock: HybridClock(rawValue: 0), kind: local.kind, columns: local.columns,
            source: Write.inTable)
        let predecessors =
            switch local.kind {
            case .delete: row.state.writes.map(\.dot)
            case .insert, .update: row.state.predecessors(ofWriteTo: change.written)
            case .add: [Dot]()
            }
        change.clock = HybridClock.stamp(
            nowMilliseconds: claimed(local.entry.at), floor: try floor(predecessors, lane: lane))
        var wire: [WireDot] = []
        wire.reserveCapacity(predecessors.count)
        for dot in predecessors { wire.append(try lane.wire(dot)) }
        if predecessors.isEmpty, local.kind != .insert { try pinInserts(lane) }
        let birth = local.kind == .insert ? nil : lane.birth(of: row.state)
        change.dot = lane.nextDot()
        let number = lane.table(table)
        row.id.withUnsafeBytes {
            builder.change(
                local.kind, table: number, id: $0, clock: change.clock, columns: local.columns, birth: birth,
                predecessors: wire)
        }
        try appendValues(local, of: chunk, to: builder, number: number)
        row.state.apply(change, predecessors: predecessors[...])
        if local.kind == .delete { holdDeleted(local.entry, of: chunk, table: table) }
    }

    /// A change that overwrites nothing builds on the row's insert all the same. Whoever got it alone would keep a row
    /// that nobody sees, and an insert of the same id there would pass over what its writer had no chance to see.
    private func pinInserts(_ lane: LaneWriter) throws(StoreError) {
        for write in row.state.writes where write.columns.contains(.existence) { _ = try lane.wire(write.dot) }
    }

    /// The time of a change by the centre's clock.
    private func claimed(_ at: Int64) -> Int64 {
        let (sum, overflow) = at.addingReportingOverflow(clockOffset)
        return overflow ? at : sum
    }

    private func lane(_ entry: PendingChunk.Entry, of chunk: PendingChunk) throws -> LaneWriter {
        if let known = lanes[entry.channel] { return known }
        let lane = try LaneWriter(channel: entry.channel, officer: chunk.officer(entry), core: core, identity: identity)
        lanes[entry.channel] = lane
        return lane
    }

    /// The highest effective clock that the change overwrites, without this replica's own claims that nobody accepted.
    private func floor(_ predecessors: [Dot], lane: LaneWriter) throws(StoreError) -> HybridClock? {
        guard !predecessors.isEmpty else { return nil }
        var highest: HybridClock?
        for write in row.state.writes where predecessors.contains(write.dot) {
            if core.index.replica(ofBranch: write.dot.branch) == identity.replica { continue }
            highest = max(highest ?? write.clock, write.clock)
        }
        return highest
    }

    private func appendValues(
        _ local: LocalChange, of chunk: PendingChunk, to builder: BodyBuilder, number: Int
    ) throws {
        guard let table = row.table else { return }
        if let values = local.values {
            local.columns.forEach { append(values[$0] ?? .null, column: $0, of: table, to: builder, number: number) }
            return
        }
        guard local.kind != .delete else { return }
        // In ascending order of this node's numbers, which is the order of the builder's columns.
        let numbers = table.declaredNumbers
        var place = local.entry.valueStart
        ColumnSet(rawValue: local.entry.mask).forEach { declared in
            if local.columns.contains(column: numbers[declared]) {
                appendCaptured(
                    chunk.values[place], chunk, column: numbers[declared], of: table, to: builder, number: number)
            }
            place += 1
        }
    }

    private func appendCaptured(
        _ ref: ValueRef, _ chunk: PendingChunk, column: Int, of table: LocalTable, to builder: BodyBuilder, number: Int
    ) {
        let isSendable = ref.tag != .text || chunk.isSendable(ref)
        if !isSendable { repaired.append((RowRef(table: table, id: row.id), column)) }
        if table.erasable.contains(column: column) {
            return append(chunk.value(ref), column: column, of: table, to: builder, number: number)
        }
        switch ref.tag {
        case .null, .commitment: builder.null(table: number, column: column)
        case .integer: builder.value(Int64(bitPattern: ref.payload), table: number, column: column)
        case .real: builder.value(Double(bitPattern: ref.payload), table: number, column: column)
        case .text:
            guard isSendable else { return builder.value(chunk.value(ref), table: number, column: column) }
            chunk.withBytes(ref) { builder.text($0, table: number, column: column) }
        case .blob: chunk.withBytes(ref) { builder.blob($0, table: number, column: column) }
        }
    }

    private func append(_ value: Value, column: Int, of table: LocalTable, to builder: BodyBuilder, number: Int) {
        guard table.columns[column].declared?.isErasable == true, value != .null else {
            return builder.value(value, table: number, column: column)
        }
        var salt: [UInt8] = []
        while salt.count < Erasable.saltBytes { salt += random.next().bigEndianBytes }
        builder.erasable(value, salt: salt, table: number, column: column)
    }

    /// The values that the deleted line showed stay in the state for a late edit.
    private func holdDeleted(_ entry: PendingChunk.Entry, of chunk: PendingChunk, table: LocalTable) {
        var places = [Int](repeating: -1, count: table.columns.count)
        for (declared, column) in table.declaredNumbers.enumerated() { places[column] = entry.valueStart + declared }
        let shown = { (column: Int) -> Value in
            !places.indices.contains(column) || places[column] < 0 ? .null : chunk.value(chunk.values[places[column]])
        }
        row.state.holdBases(shown: shown)
        row.state.place(tableColumns: [], order: core.index, incoming: { _, _ in .null }, fetched: shown)
    }

    private func currentValues(of table: LocalTable) throws -> [Int: Value]? {
        let values = try TableLine(core: core, table: table).read(id: row.id)
        return values.map {
            Dictionary(
                uniqueKeysWithValues: $0.enumerated().map { (table.declaredNumbers[$0], sendable($1, $0, table)) })
        }
    }

    private func sendable(_ value: Value, _ declared: Int, _ table: LocalTable) -> Value {
        guard case .text(let bytes) = value, !bytes.withUnsafeBytes(UTF8Check.isTextWithoutNUL) else { return value }
        repaired.append((RowRef(table: table, id: row.id), table.declaredNumbers[declared]))
        return bytes.withUnsafeBytes { .text(repairing: $0) }
    }

    // MARK: digest

    private func sumRow(isAdded: Bool) throws(StoreError) {
        guard let table = row.table else { return }
        let lane = lanes[row.channel]
        for write in row.state.writes {
            let item = Unsummed(isAdded: isAdded, seed: row.seed, table: table, channel: row.channel, write: write)
            if let lane, write.dot.branch == UInt32(lane.branch), write.dot.counter >= lane.firstUnsealed {
                unsummed.append(item)
            } else {
                try sum(item)
            }
        }
    }

    private func sum() throws(StoreError) {
        for item in unsummed { try sum(item) }
        unsummed = []
        gain.finish(in: core.channels)
    }

    private func sum(_ item: Unsummed) throws(StoreError) {
        let digest = item.write.digest(
            row: item.seed, columns: item.table.columnSeeds, place: try core.index.place(of: item.write.dot))
        gain.add(item.isAdded ? digest : .zero - digest, to: item.channel, of: core.channels)
    }
}

extension PendingChunk {
    func withBytes(_ ref: ValueRef, _ body: (UnsafeRawBufferPointer) -> Void) {
        arena.withUnsafeBytes {
            let start = Int(ref.payload)
            body(UnsafeRawBufferPointer(rebasing: $0[start..<start + Int(ref.count)]))
        }
    }

    func isSendable(_ ref: ValueRef) -> Bool {
        var isText = true
        withBytes(ref) { isText = UTF8Check.isTextWithoutNUL($0) }
        return isText
    }

    /// As it is sealed: text that is no UTF-8 is repaired.
    func value(_ ref: ValueRef) -> Value {
        let range = Int(ref.tag == .text || ref.tag == .blob ? ref.payload : 0)
        switch ref.tag {
        case .null, .commitment: return .null
        case .integer: return .integer(Int64(bitPattern: ref.payload))
        case .real: return .real(Double(bitPattern: ref.payload))
        case .text:
            let bytes = Array(arena[range..<range + Int(ref.count)])
            return isSendable(ref) ? .text(bytes) : bytes.withUnsafeBytes { .text(repairing: $0) }
        case .blob: return .blob(Array(arena[range..<range + Int(ref.count)]))
        }
    }
}

extension Value {
    /// Text that is no UTF-8, or has NULs that got past the triggers: each bad byte becomes U+FFFD.
    static func text(repairing bytes: UnsafeRawBufferPointer) -> Value {
        .text(Array(String(decoding: bytes, as: UTF8.self).utf8).flatMap { $0 == 0 ? [0xEF, 0xBF, 0xBD] : [$0] })
    }
}
