import KenhMerge
import KenhProtocol

/// Merges opened blocks into row states and tables, row by row in id order, inside the caller's transaction and with
/// triggers off.
final class MergePass {
    /// A change, or the correction of its clock.
    private struct Item {
        var table: Int
        var prefix: UInt64
        var block: Int32
        var change: Int32
    }

    private let core: StoreCore
    private let blocks: [OpenedBlock]
    /// The blocks' effective clocks changed; nothing else is to be merged.
    private let isRetiming: Bool
    /// The rows that are to be merged; nil for all.
    private let only: Set<RowKey>?
    // Touched for every row and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var items: [Item] = []
    @exclusivity(unchecked) private var predecessors: [Dot] = []
    @exclusivity(unchecked) private var state = RowState()
    /// Columns of the row at hand that show NULL because their values are of another type.
    @exclusivity(unchecked) private var misfits: ColumnSet = []
    private(set) var touchedTables: Set<Int> = []
    @exclusivity(unchecked) private var lastTouched = 0
    @exclusivity(unchecked) private var gain = DigestGain()
    private(set) var changeCount = 0

    init(_ blocks: [OpenedBlock], core: StoreCore, isRetiming: Bool = false, only: Set<RowKey>? = nil) {
        self.only = only
        self.blocks = blocks
        self.core = core
        self.isRetiming = isRetiming
    }

    func run() throws {
        collect()
        var at = 0
        while at < items.count {
            var end = at + 1
            while end < items.count, isSameRow(items[at], items[end]) { end += 1 }
            try merge(at..<end)
            at = end
        }
        gain.finish(in: core.channels)
    }

    private func touch(_ table: Int) {
        lastTouched = table
        touchedTables.insert(table)
    }

    private func add(_ digest: Digest128, to channel: Int) { gain.add(digest, to: channel, of: core.channels) }

    private func collect() {
        items.reserveCapacity(blocks.reduce(0) { $0 + $1.body.count })
        for (number, block) in blocks.enumerated() {
            for change in 0..<block.body.count where isMerged(change, of: block) {
                if isRetiming, block.clock(change) == block.body.clocks[change] { continue }
                let prefix = block.withID(change) { PendingChunk.prefix($0) }
                items.append(
                    Item(
                        table: block.table(change).number, prefix: prefix, block: Int32(number),
                        change: Int32(change)))
            }
        }
        changeCount = items.count
        if !isSorted { items.sort(by: precedes) }
    }

    private func isMerged(_ change: Int, of block: OpenedBlock) -> Bool {
        if !block.struck.isEmpty, block.struck.contains(change) { return false }
        return only?.contains(RowKey(block, change)) ?? true
    }

    private var isSorted: Bool {
        for i in items.indices.dropFirst() where precedes(items[i], items[i - 1]) { return false }
        return true
    }

    private func precedes(_ a: Item, _ b: Item) -> Bool {
        if a.table != b.table { return a.table < b.table }
        if a.prefix != b.prefix { return a.prefix < b.prefix }
        let order = compareIDs(a, b)
        if order != 0 { return order < 0 }
        return a.block != b.block ? a.block < b.block : a.change < b.change
    }

    private func compareIDs(_ a: Item, _ b: Item) -> Int {
        blocks[Int(a.block)].withID(Int(a.change)) { x in
            blocks[Int(b.block)].withID(Int(b.change)) { y in IDOrder.compare(x, y) }
        }
    }

    private func isSameRow(_ a: Item, _ b: Item) -> Bool {
        a.table == b.table && a.prefix == b.prefix && blocks[Int(a.block)].channel == blocks[Int(b.block)].channel
            && compareIDs(a, b) == 0
    }

    // MARK: one row

    private func merge(_ range: Range<Int>) throws {
        let first = items[range.lowerBound]
        let block = blocks[Int(first.block)]
        let table = block.table(Int(first.change))
        if lastTouched != table.number { touch(table.number) }
        try block.withIDThrowing(Int(first.change)) { id in
            let isInserted = block.body.kinds[Int(first.change)] == .insert
            let found = try core.rows.load(table: table, id: id, isInserted: isInserted, into: &state)
            if found == nil { state.writes.removeAll(keepingCapacity: true) }
            if let found, found.channel != block.channel || !found.others.isEmpty {
                try mergeBesideOthers(range, found, table: table, id: id, channel: block.channel)
            } else {
                try mergeAlone(range, table: table, id: id, channel: block.channel, isNew: found == nil)
            }
        }
    }

    private func mergeAlone(
        _ range: Range<Int>, table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, isNew: Bool
    ) throws {
        let seed = table.rowSeed(id)
        let before = isNew ? Digest128.zero : try digest(table, seed)
        let canShow = table.canShow(id: id, channel: core.channels.name(channel))
        var wasShown = state.isShown && canShow
        let mightConflict = state.mayConflict
        if wasShown, table.declared != nil, hasFinal(range) {
            // A column may be left without any write, and the line would go on showing what was replaced.
            try lift(table: table, id: id)
            wasShown = false
        }
        try apply(range)
        if canShow {
            try showOverAnyLine(table: table, id: id, channel: channel, wasShown: wasShown)
        } else {
            hold()
        }
        try save(table: table, id: id, channel: channel, isNew: isNew, mightConflict: mightConflict)
        add(try digest(table, seed) - before, to: channel)
    }

    private func hasFinal(_ range: Range<Int>) -> Bool {
        range.contains { place in
            let block = blocks[Int(items[place].block)]
            return !block.final.isEmpty && block.final.contains(Int(items[place].change))
        }
    }

    private func save(
        table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, isNew: Bool, mightConflict: Bool
    ) throws {
        if state.writes.isEmpty {
            if !isNew { try core.rows.remove(table: table, id: id, channel: channel) }
            return
        }
        try core.rows.save(state, table: table, id: id, channel: channel, isNew: isNew)
        let mayConflict = state.mayConflict && state.isShown
        if mayConflict || mightConflict {
            try core.rows.setConflict(mayConflict, table: table, id: id, channel: channel)
        }
    }

    private func digest(_ table: LocalTable, _ seed: Digest128) throws -> Digest128 {
        var sum = Digest128.zero
        for write in state.writes {
            sum += write.digest(row: seed, columns: table.columnSeeds, place: try core.index.place(of: write.dot))
        }
        return sum
    }

    private func apply(_ range: Range<Int>) throws {
        for i in range {
            let block = blocks[Int(items[i].block)]
            let number = Int(items[i].change)
            let dot = Dot(branch: UInt32(block.branch), counter: block.counter(number))
            if isRetiming {
                if let at = state.writes.firstIndex(where: { $0.dot == dot }) {
                    state.writes[at].clock = block.clock(number)
                }
                continue
            }
            predecessors.removeAll(keepingCapacity: true)
            block.named(by: number, core.index, into: &predecessors)
            try core.struck.addNamed(to: &predecessors)
            let change = Change(
                dot: dot, clock: block.clock(number), kind: block.body.kinds[number], columns: block.columns(number),
                source: Int32(i))
            state.apply(change, predecessors: predecessors[...])
            // It has taken the place of what it names; nobody keeps what it wrote.
            if !block.final.isEmpty, block.final.contains(number) { state.drop { $0 == dot } }
        }
    }

    // MARK: the table

    /// Makes the table show the winners. False where another channel's row has the line.
    private func show(
        table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, wasShown: Bool
    ) throws -> Bool {
        let settlement = state.settle(wasShown: wasShown, tableColumns: table.shown, order: core.index)
        var fetched: [Value] = []
        if !settlement.fetch.isEmpty || settlement.action == .delete, wasShown {
            fetched = try TableLine(core: core, table: table).read(id: Array(id)) ?? []
        }
        misfits = []
        switch settlement.action {
        case .none: break
        case .insert:
            guard try insert(settlement.put, table: table, id: id, channel: channel) else { return false }
        case .update: try update(settlement.put, table: table, id: id, fetched: fetched)
        case .delete: try TableLine(core: core, table: table).delete(id: Array(id))
        }
        place(settlement, table: table, fetched: fetched)
        return true
    }

    private func place(_ settlement: Settlement, table: LocalTable, fetched: [Value]) {
        if settlement.fetch.isEmpty, settlement.action != .delete, misfits.isEmpty, allIncomingWasPut(settlement) {
            return state.placeAllInTable()
        }
        state.place(tableColumns: table.shown.subtracting(misfits), order: core.index, incoming: value) { column in
            guard let declared = table.declaredNumbers.firstIndex(of: column), declared < fetched.count else {
                return .null
            }
            return fetched[declared]
        }
    }

    private func allIncomingWasPut(_ settlement: Settlement) -> Bool {
        var carried = 0
        for write in state.writes {
            if !write.held.isEmpty || write.isDelta { return false }
            if write.source != Write.inTable { carried += write.columns.subtracting(.existence).count }
        }
        return settlement.put.count == carried
    }

    private func hold() {
        state.place(tableColumns: [], order: core.index, incoming: value) { _ in .null }
    }

    private func value(_ source: Int32, _ column: Int) -> Value {
        let item = items[Int(source)]
        let block = blocks[Int(item.block)]
        let value = block.body.value(block.value(Int(item.change), column: column))
        // A table of SQLite's shows −0.0 as 0.0; so does the state, or its values would depend on the order of arrival.
        return value == .real(-0.0) ? .real(0.0) : value
    }

    private func insert(
        _ put: [Placement], table: LocalTable, id: UnsafeRawBufferPointer, channel: Int
    ) throws -> Bool {
        core.capture(false)
        let statement = try table.statements.insert(put.columns, table, core.sql)
        bindID(statement, 1, table, id)
        var next: Int32 = 2
        if table.channelColumn != nil {
            statement.bind(2, copying: core.channels.name(channel))
            next = 3
        }
        for placement in put {
            bind(statement, next, placement, table)
            next += 1
        }
        return try statement.runUnlessConstraint()
    }

    private func update(
        _ put: [Placement], table: LocalTable, id: UnsafeRawBufferPointer, fetched: [Value]
    ) throws {
        core.capture(false)
        let statement = try table.statements.update(put.columns, table, core.sql)
        var next: Int32 = 1
        for placement in put {
            bind(statement, next, placement, table, fetched)
            next += 1
        }
        bindID(statement, next, table, id)
        try statement.run()
    }

    private func bindID(_ statement: Statement, _ index: Int32, _ table: LocalTable, _ id: UnsafeRawBufferPointer) {
        if table.idType == .text { statement.bind(index, text: id) } else { statement.bind(index, blob: id) }
    }

    private func bind(
        _ statement: Statement, _ index: Int32, _ placement: Placement, _ table: LocalTable, _ fetched: [Value] = []
    ) {
        let column = Int(placement.column)
        guard let type = table.types[column] else { return statement.bindNull(index) }
        if placement.isSum || table.counters.contains(column: column) {
            guard type.accepts(.integer) else { return statement.bindNull(index) }
            return statement.bind(index, counted(placement, table, fetched))
        }
        let write = state.writes[Int(placement.write)]
        if let held = write.heldValue(column) {
            return type.accepts(held.tag)
                ? statement.bind(index, copying: held) : bindMisfit(column, statement, index)
        }
        guard write.source != Write.inTable else { return statement.bindNull(index) }
        let item = items[Int(write.source)]
        let block = blocks[Int(item.block)]
        let ref = block.value(Int(item.change), column: column)
        guard type.accepts(ref.tag) else { return bindMisfit(column, statement, index) }
        block.bind(ref, to: statement, index)
    }

    /// A value of another type came from a node with another schema: the state keeps it, the table cannot.
    private func bindMisfit(_ column: Int, _ statement: Statement, _ index: Int32) {
        misfits.insert(.column(column))
        statement.bindNull(index)
    }

    /// What a counter shows. A column that another node counts and this one does not has its sum, too.
    private func counted(_ placement: Placement, _ table: LocalTable, _ fetched: [Value]) -> Int64 {
        let column = Int(placement.column)
        let sum = state.deltaSum(column, incoming: value)
        guard placement.write != Placement.noWrite else {
            return (table.columns[column].declared?.defaultValue ?? .null).counted &+ sum
        }
        let write = state.writes[Int(placement.write)]
        if let held = write.heldValue(column) { return held.counted &+ sum }
        let base = write.isInTable(column) ? table.shownValue(column, in: fetched) : value(write.source, column)
        return base.counted &+ sum
    }

    // MARK: one id in two channels

    /// Two cells gave one id to rows of different channels. Both states are kept; the row whose channel has the lower
    /// name is shown, on every node.
    private func mergeBesideOthers(
        _ range: Range<Int>, _ found: (channel: Int, others: [(channel: Int, state: RowState)]), table: LocalTable,
        id: UnsafeRawBufferPointer, channel: Int
    ) throws {
        var states = [found.channel: state]
        for other in found.others { states[other.channel] = other.state }
        let isNew = states[channel] == nil
        let shownBefore = core.shownChannel(states, table: table, id: id)
        state = states[channel] ?? RowState()
        let before = isNew ? Digest128.zero : try digest(table, table.rowSeed(id))
        let mightConflict = state.mayConflict
        if let shownBefore {
            state = states[shownBefore] ?? RowState()
            try lift(table: table, id: id)
            states[shownBefore] = state
            if shownBefore != channel {
                try core.rows.save(state, table: table, id: id, channel: shownBefore, isNew: false)
            }
        }
        state = states[channel] ?? RowState()
        try apply(range)
        hold()
        states[channel] = state
        try save(table: table, id: id, channel: channel, isNew: isNew, mightConflict: mightConflict)
        add(try digest(table, table.rowSeed(id)) - before, to: channel)
        guard let shown = core.shownChannel(states, table: table, id: id) else { return }
        state = states[shown] ?? RowState()
        _ = try show(table: table, id: id, channel: shown, wasShown: false)
        try core.rows.save(state, table: table, id: id, channel: shown, isNew: false)
    }

    // MARK: a snapshot

    /// Puts in a row of a snapshot, all of whose values are in its state. What stands here of the row already was written
    /// by somebody who had seen nothing of the snapshot: it is joined.
    ///
    /// - Returns: what the adopted writes alone add to the channel's digest.
    func adopt(_ adopted: RowState, table: LocalTable, id: [UInt8], channel: Int) throws -> Digest128 {
        if lastTouched != table.number { touch(table.number) }
        return try id.withUnsafeBytes { bytes in
            let found = try core.rows.load(table: table, id: bytes, isInserted: true, into: &state)
            if found == nil { state.writes.removeAll(keepingCapacity: true) }
            let isBesideOthers = found.map { $0.channel != channel || !$0.others.isEmpty } ?? false
            let known = isBesideOthers ? try core.rows.states(table: table, id: id)[channel] : found.map { _ in state }
            let gained = try adopted.digest(
                row: table.rowSeed(bytes), columns: table.columnSeeds, place: core.index.place(of:))
            add(gained, to: channel)
            if isBesideOthers {
                state = known ?? RowState()
                try adoptBesideOthers(adopted, table: table, id: bytes, channel: channel, isNew: known == nil)
            } else {
                try adoptAlone(adopted, table: table, id: bytes, channel: channel, isNew: known == nil)
            }
            return gained
        }
    }

    private func adoptAlone(
        _ adopted: RowState, table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, isNew: Bool
    ) throws {
        let canShow = table.canShow(id: id, channel: core.channels.name(channel))
        let wasShown = state.isShown && canShow
        state.writes += adopted.writes
        if canShow { try showOverAnyLine(table: table, id: id, channel: channel, wasShown: wasShown) }
        try save(table: table, id: id, channel: channel, isNew: isNew, mightConflict: false)
    }

    private func adoptBesideOthers(
        _ adopted: RowState, table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, isNew: Bool
    ) throws {
        guard table.declared != nil else {
            state.writes += adopted.writes
            return try save(table: table, id: id, channel: channel, isNew: isNew, mightConflict: false)
        }
        let key = Array(id)
        if try TableLine(core: core, table: table).channel(id: key) == channel { try lift(table: table, id: id) }
        state.writes += adopted.writes
        try save(table: table, id: id, channel: channel, isNew: isNew, mightConflict: false)
        try showAmongOthers(table: table, id: key)
    }

    // MARK: final deletions

    /// Drops writes from a row's state.
    ///
    /// - Returns: what is left of it, and what the row showed where it does not any more; nil where it had none of them.
    func drop(
        _ dots: Set<Dot>, from row: RowKey, of table: LocalTable, channel: Int
    ) throws -> (left: [Write], line: [Value]?)? {
        let states = try core.rows.states(table: table, id: row.id)
        guard let known = states[channel], known.writes.contains(where: { dots.contains($0.dot) }) else { return nil }
        if lastTouched != table.number { touch(table.number) }
        return try row.id.withUnsafeBytes { id in
            state = known
            let mightConflict = state.mayConflict
            let before = try digest(table, table.rowSeed(id))
            var line: [Value]?
            if table.declared != nil, core.shownChannel(states, table: table, id: id) == channel {
                line = try TableLine(core: core, table: table).read(id: row.id)
                try lift(table: table, id: id)
            }
            state.drop(dots.contains)
            let left = state.writes
            try save(table: table, id: id, channel: channel, isNew: false, mightConflict: mightConflict)
            add(try digest(table, table.rowSeed(id)) - before, to: channel)
            if table.declared != nil { try showAmongOthers(table: table, id: row.id) }
            return (left, line)
        }
    }

    /// Writes down what adopting or dropping rows changed in the channels' digests.
    func finishAdopting() { gain.finish(in: core.channels) }

    /// Brings a row's line up to its state after the table or one of its columns was declared.
    func showKept(table: LocalTable, id: [UInt8]) throws {
        try id.withUnsafeBytes { bytes in
            guard let found = try core.rows.load(table: table, id: bytes, into: &state) else { return }
            var states = [found.channel: state]
            for other in found.others { states[other.channel] = other.state }
            guard let shown = core.shownChannel(states, table: table, id: bytes) else { return }
            state = states[shown] ?? RowState()
            let isThere = try TableLine(core: core, table: table).read(id: id) != nil
            _ = try show(table: table, id: bytes, channel: shown, wasShown: isThere)
            try core.rows.save(state, table: table, id: bytes, channel: shown, isNew: false)
        }
    }

    /// Shows the right one of several rows with one id after the shown one may have been deleted here.
    func showAmongOthers(table: LocalTable, id: [UInt8]) throws {
        try id.withUnsafeBytes { bytes in
            guard let found = try core.rows.load(table: table, id: bytes, into: &state) else { return }
            var states = [found.channel: state]
            for other in found.others { states[other.channel] = other.state }
            let owner = try TableLine(core: core, table: table).channel(id: id)
            guard let shown = core.shownChannel(states, table: table, id: bytes), shown != owner else { return }
            if let owner, let lifted = states[owner] {
                state = lifted
                try lift(table: table, id: bytes)
                try core.rows.save(state, table: table, id: bytes, channel: owner, isNew: false)
            }
            state = states[shown] ?? RowState()
            _ = try show(table: table, id: bytes, channel: shown, wasShown: false)
            try core.rows.save(state, table: table, id: bytes, channel: shown, isNew: false)
        }
    }

    /// Takes a row's line out of the table, all its values into the state.
    private func lift(table: LocalTable, id: UnsafeRawBufferPointer) throws {
        let line = TableLine(core: core, table: table)
        let values = try line.read(id: Array(id)) ?? []
        state.place(tableColumns: [], order: core.index, incoming: value) { column in
            guard let declared = table.declaredNumbers.firstIndex(of: column), declared < values.count else {
                return .null
            }
            return values[declared]
        }
        try line.delete(id: Array(id))
    }

    /// As ``show(table:id:channel:wasShown:)``. Where the line exists without a state, since it was written while capture
    /// was off, what was merged replaces it.
    private func showOverAnyLine(
        table: LocalTable, id: UnsafeRawBufferPointer, channel: Int, wasShown: Bool
    ) throws {
        if try show(table: table, id: id, channel: channel, wasShown: wasShown) { return }
        try TableLine(core: core, table: table).delete(id: Array(id))
        guard try show(table: table, id: id, channel: channel, wasShown: false) else {
            throw StoreError(.corrupt, "the line of a row in \(table.name) cannot be written")
        }
    }
}

extension StoreCore {
    /// The channel whose row an id shows: that of the lowest name among the rows that are alive.
    func shownChannel(_ states: [Int: RowState], table: LocalTable, id: UnsafeRawBufferPointer) -> Int? {
        states.filter { $0.value.isShown && table.canShow(id: id, channel: channels.name($0.key)) }.keys.min {
            channels.name($0).utf8.lexicographicallyPrecedes(channels.name($1).utf8)
        }
    }
}

extension OpenedBlock {
    @inline(__always)
    func withID<T>(_ change: Int, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        self.body.arena.withUnsafeBytes {
            let start = Int(self.body.idStarts[change])
            return body(UnsafeRawBufferPointer(rebasing: $0[start..<start + Int(self.body.idLengths[change])]))
        }
    }

    func withIDThrowing<T>(_ change: Int, _ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
        try self.body.arena.withUnsafeBytes {
            let start = Int(self.body.idStarts[change])
            return try body(UnsafeRawBufferPointer(rebasing: $0[start..<start + Int(self.body.idLengths[change])]))
        }
    }

    /// Binds without a copy: the block outlives the statement's step.
    @inline(__always)
    func bind(_ ref: ValueRef, to statement: Statement, _ index: Int32) {
        switch ref.tag {
        case .null, .commitment: statement.bindNull(index)
        case .integer: statement.bind(index, Int64(bitPattern: ref.payload))
        case .real: statement.bind(index, Double(bitPattern: ref.payload))
        case .text: body.arena.withUnsafeBytes { statement.bind(index, text: Self.slice($0, ref)) }
        case .blob: body.arena.withUnsafeBytes { statement.bind(index, blob: Self.slice($0, ref)) }
        }
    }

    @inline(__always)
    private static func slice(_ arena: UnsafeRawBufferPointer, _ ref: ValueRef) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: arena[Int(ref.payload)..<Int(ref.payload) + Int(ref.count)])
    }
}
