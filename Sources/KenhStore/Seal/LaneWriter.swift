import KenhMerge
import KenhProtocol

/// Writes one group of changes into a lane's blocks. The last block of a group says so in its signed header, so a
/// finished builder waits until it is known whether another follows.
final class LaneWriter {
    let channel: Int
    let branch: Int
    /// Dots from here on have no block hash yet.
    @exclusivity(unchecked) private(set) var firstUnsealed: UInt64
    @exclusivity(unchecked) private(set) var nextCounter: UInt64
    private(set) var blocks: [Block] = []

    private let name: String
    private let core: StoreCore
    private let identity: StoreIdentity
    private var previous: Hash256
    // Touched for every change and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var open: OpenBlock
    private var waiting: OpenBlock?
    private var isFirst = true

    private struct OpenBlock {
        let builder = BodyBuilder()
        let officer: String
        let firstCounter: UInt64
        var references: [Int: UInt32] = [:]
        var tables: [Int: Int] = [:]

        /// By bytes: NFC and NFD of one name are two aliases to every other node.
        func isBy(_ other: String) -> Bool { officer.utf8.elementsEqual(other.utf8) }
    }

    init(channel: Int, officer: String, core: StoreCore, identity: StoreIdentity) throws(StoreError) {
        self.channel = channel
        self.core = core
        self.identity = identity
        name = core.channels.name(channel)
        let own = core.channels[channel]?.ownBranch
        var head: BranchIndex.Span?
        if let own { head = try core.index.head(of: own) }
        previous = head?.hash ?? .zero
        nextCounter = (head?.last ?? 0) + 1
        firstUnsealed = nextCounter
        if let own {
            branch = own
        } else {
            branch = try core.index.addBranch(replica: identity.replica, channel: channel, parent: nil, first: 1)
            core.channels.setOwnBranch(branch, of: channel)
        }
        open = OpenBlock(officer: officer, firstCounter: nextCounter)
    }

    /// Makes room for a change by this officer and gives the builder that takes it.
    func builder(officer: String) throws -> BodyBuilder {
        let count = open.builder.count
        let isFull =
            count >= core.limits.changesPerBlock
            || open.builder.approximateBytes >= core.limits.plainBytesPerBlock
        if count > 0, isFull || !open.isBy(officer) { try turn(to: officer) }
        if open.builder.count == 0, !open.isBy(officer) {
            open = OpenBlock(officer: officer, firstCounter: nextCounter)
        }
        return open.builder
    }

    private func turn(to officer: String) throws {
        if let waiting { try seal(waiting, isLast: false) }
        waiting = open
        open = OpenBlock(officer: officer, firstCounter: nextCounter)
    }

    func nextDot() -> Dot {
        defer { nextCounter += 1 }
        return Dot(branch: UInt32(branch), counter: nextCounter)
    }

    /// The number of a table in the open block.
    func table(_ table: LocalTable) -> Int {
        if let known = open.tables[table.number] { return known }
        let number = open.builder.table(
            table.name, idType: table.idType, columns: table.columns.map(\.name))
        open.tables[table.number] = number
        return number
    }

    /// A predecessor as it travels: on our own line by counter alone, else with a pin to that branch's newest block.
    func wire(_ dot: Dot) throws(StoreError) -> WireDot {
        if core.index.isOnLine(dot, of: branch) { return WireDot(reference: 0, counter: dot.counter) }
        let other = Int(dot.branch)
        if let known = open.references[other] { return WireDot(reference: known, counter: dot.counter) }
        guard let known = core.index.branch(other), let head = try core.index.lastApplied(of: other) else {
            throw BranchIndex.damaged
        }
        let pin = ReplicaPin(replica: known.replica, counter: head.last, hash: head.hash.prefix)
        let reference = open.builder.reference(to: pin)
        open.references[other] = reference
        return WireDot(reference: reference, counter: dot.counter)
    }

    /// The row's insert as it travels, where what the open block builds on brings it along anyway.
    func birth(of row: RowState) -> WireDot? {
        for write in row.writes where write.columns.contains(.existence) {
            if core.index.isOnLine(write.dot, of: branch) { return WireDot(reference: 0, counter: write.dot.counter) }
            guard let known = open.references[Int(write.dot.branch)] else { continue }
            return WireDot(reference: known, counter: write.dot.counter)
        }
        return nil
    }

    /// Seals what is open; the group is whole then.
    func finish() throws {
        if open.builder.count > 0 {
            if let waiting { try seal(waiting, isLast: false) }
            try seal(open, isLast: true)
        } else if let waiting {
            try seal(waiting, isLast: true)
        }
        waiting = nil
    }

    /// Neighbouring changes whose rows were born in one block; no block where they are spelled out in any case.
    private struct BirthRun {
        let block: Hash256?
        var changes: Range<Int>
        var named = 0
    }

    /// Spells out the ids of rows whose births lie where finding them would cost readers too much.
    private func chooseNames(_ block: OpenBlock) throws {
        guard block.builder.namesByBirth else { return }
        let runs = try birthRuns(block)
        let counts = Dictionary(runs.map { ($0.block, $0.named) }, uniquingKeysWith: +)
        let worthwhile = try Set(counts.filter { try isWorthwhile($0.value, $0.key) }.keys)
        for run in runs where !worthwhile.contains(run.block) {
            for change in run.changes { block.builder.dropBirth(of: change) }
        }
    }

    private func birthRuns(_ block: OpenBlock) throws(StoreError) -> [BirthRun] {
        var branches: [UInt32: Int] = [0: branch]
        for (other, reference) in block.references { branches[reference] = other }
        var runs: [BirthRun] = []
        for change in 0..<block.builder.count {
            let birth = block.builder.birth(of: change)
            let hash: Hash256?
            if let birth { hash = try self.block(of: birth, before: block.firstCounter, branches) } else { hash = nil }
            if runs.last?.block != hash || runs.isEmpty { runs.append(BirthRun(block: hash, changes: change..<change)) }
            runs[runs.count - 1].changes = runs[runs.count - 1].changes.lowerBound..<change + 1
            runs[runs.count - 1].named += 1
        }
        return runs
    }

    /// The block that a birth dot stands in; nil where that is the open one.
    private func block(
        of birth: WireDot, before first: UInt64, _ branches: [UInt32: Int]
    ) throws(StoreError) -> Hash256? {
        guard birth.reference != 0 || birth.counter < first, let line = branches[birth.reference],
            let dot = core.index.dot(counter: birth.counter, onLineOf: line)
        else { return nil }
        return try core.index.span(of: dot)?.hash
    }

    private func isWorthwhile(_ named: Int, _ births: Hash256?) throws -> Bool {
        guard let births, let size = try core.blocks.plainSize(of: births) else { return false }
        return named * core.limits.bytesPerBirth >= size + Limits.birthBlockCost
    }

    private func seal(_ finished: OpenBlock, isLast: Bool) throws {
        try chooseNames(finished)
        let draft = BlockDraft(
            organisation: identity.organisation, channel: name, replica: identity.replica, officer: finished.officer,
            firstCounter: finished.firstCounter, previous: previous, schemaVersion: UInt32(core.schema.version),
            isGroupStart: isFirst, isGroupEnd: isLast)
        let block = try core.codec.seal(finished.builder, as: draft, key: identity.key)
        try core.blocks.insert(
            block, channel: channel, branch: branch, isApplied: true, acceptance: nil)
        try core.index.append(
            .init(first: finished.firstCounter, count: UInt64(block.header.count), hash: block.hash, isApplied: true),
            to: branch)
        previous = block.hash
        firstUnsealed = finished.firstCounter + UInt64(block.header.count)
        isFirst = false
        blocks.append(block)
    }
}
