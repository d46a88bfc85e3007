import KenhMerge
import KenhProtocol

/// Takes blocks in: writes them down, and merges every group whose blocks and whose predecessors' blocks are here.
final class Merger {
    private let core: StoreCore
    private let now: Int64
    /// Whose blocks are all here unless the store is a restored copy.
    private let ownReplica: ReplicaID?
    /// Whose changes people here are told of.
    private let ownKey: PublicKey?
    private(set) var report = DeliveryReport()
    private(set) var touchedTables: Set<Int> = []
    private var scheduled: [OpenedBlock] = []
    private var scheduledCount = 0
    private var scheduledHashes: Set<Hash256> = []
    private var retimed: [Block] = []
    /// Merged blocks of which more was struck.
    private var struckLate: [(block: Block, struck: ChangeSet)] = []
    /// Blocks that were ruled on in this delivery, and those whose changes nobody sees any more for that reason.
    private(set) var ruled: [Rejection] = []

    init(core: StoreCore, now: Int64, ownReplica: ReplicaID? = nil, ownKey: PublicKey? = nil) {
        self.ownKey = ownKey
        self.core = core
        self.now = now
        self.ownReplica = ownReplica
    }

    /// Writes blocks and what the log says of them down; nothing is merged yet.
    func write(_ items: [Delivery.Item]) throws {
        for item in items { try writeDown(item) }
    }

    /// Merges what can be.
    func merge() throws {
        try retime()
        try strike()
        try mergeReady(try core.blocks.held())
    }

    private func writeDown(_ item: Delivery.Item) throws {
        if let channel = try core.blocks.channel(of: item.hash) {
            if let block = item.block, try core.blocks.isHead(item.hash) {
                try core.blocks.fill(try core.erasures.strip(block, core.codec))
            }
            guard let acceptance = item.acceptance else { return }
            guard acceptance.proof.map({ $0.channel == core.channels.name(channel) }) ?? true else {
                throw ProtocolError(.brokenLink, "a log entry judges a block of another channel")
            }
            return try accept(item.hash, acceptance)
        }
        if let head = item.head, let acceptance = item.acceptance { return try writeDown(head, acceptance) }
        guard let brought = item.block else {
            throw StoreError(
                .notFound, "the centre has a block of this device that is not here", advice: "sync again",
                recovery: .resync)
        }
        // What was erased is not written down again, whoever brings it.
        let block = try core.erasures.strip(brought, core.codec)
        let channel = try core.channels.number(block.header.channel)
        let branch = try core.index.branch(for: block.header, channel: channel)
        try core.blocks.insert(
            block, channel: channel, branch: branch, isApplied: false, acceptance: item.acceptance)
        if block.header.replica == ownReplica { report.lostBlocks += 1 }
        if let branch { try append(block.head, to: branch) }
        if let ruling = item.acceptance?.ruling { ruled.append(Rejection(block, ruling)) }
        report.newBlocks += 1
    }

    /// A block that a snapshot covers.
    private func writeDown(_ head: BlockHead, _ acceptance: Delivery.Acceptance) throws {
        let channel = try core.channels.number(head.header.channel)
        let branch = try core.index.branch(for: head.header, channel: channel)
        try core.blocks.insert(head, channel: channel, branch: branch, acceptance: acceptance)
        if let branch { try append(head, to: branch) }
        report.newBlocks += 1
    }

    private func append(_ head: BlockHead, to branch: Int) throws(StoreError) {
        try core.index.append(
            .init(
                first: head.header.firstCounter, count: UInt64(head.header.count), hash: head.hash, isApplied: false),
            to: branch)
    }

    /// What a snapshot covers cannot be made anew: only its base's blocks have it. The same goes for what the log says
    /// of such a block after the entries that the snapshot covers.
    private func refuseLate(_ hash: Hash256, _ acceptance: Delivery.Acceptance) throws {
        guard try core.blocks.isHead(hash), let number = try core.blocks.channel(of: hash) else { return }
        guard let base = try SnapshotTable(core: core).base(of: number) else { return }
        guard base.state == .adopted || acceptance.sequence > base.manifest.sequence else { return }
        throw SnapshotAdoption.unusable(
            core, number, "the log says something new of a block that the channel's snapshot covers")
    }

    /// A receipt: the earliest acceptance counts, and a claim beyond its tolerance is corrected.
    private func accept(_ hash: Hash256, _ acceptance: Delivery.Acceptance) throws {
        let known = try core.blocks.acceptance(of: hash)
        if let ruling = acceptance.ruling { try note(ruling, on: hash, known: known?.ruling, acceptance) }
        if let known, known.sequence == acceptance.sequence,
            known.acceptedAt <= acceptance.acceptedAtMilliseconds
        {
            return
        }
        try core.blocks.accept(hash, acceptance)
        if let known, known.acceptedAt <= acceptance.acceptedAtMilliseconds { return }
        try refuseLate(hash, acceptance)
        guard let block = try core.blocks.block(hash),
            block.header.lastClock.effective(acceptedAtMilliseconds: acceptance.acceptedAtMilliseconds)
                != block.header.lastClock
        else { return }
        retimed.append(block)
    }

    /// Whatever was struck once stays struck.
    private func note(
        _ ruling: Ruling, on hash: Hash256, known: Ruling?, _ acceptance: Delivery.Acceptance?
    ) throws {
        let joined = ruling.joined(with: known)
        if joined.struck != known?.struck, let acceptance { try refuseLate(hash, acceptance) }
        guard joined.struck != known?.struck, let block = try core.blocks.block(hash) else { return }
        guard joined.struck.ranges.last.map({ $0.upperBound <= Int(block.header.count) }) ?? false else {
            throw ProtocolError(.malformed, "a ruling strikes changes that its block does not have")
        }
        try core.blocks.set(joined, on: hash)
        ruled.append(Rejection(block, joined))
        guard try core.index.block(hash: hash)?.isApplied == true else { return }
        struckLate.append((block, joined.struck))
    }

    /// Takes what was merged and is struck now out again: its rows are made anew.
    private func strike() throws {
        var rows: [Int: Set<RowKey>] = [:]
        for (block, struck) in struckLate {
            let channel = try core.channels.number(block.header.channel)
            let opened = try OpenedBlock(reopening: block, channel: channel, core)
            try noteNamed(of: opened)
            for change in struck.ranges.joined() { rows[channel, default: []].insert(RowKey(opened, change)) }
        }
        struckLate = []
        for (channel, rows) in rows.sorted(by: { $0.key < $1.key }) {
            touchedTables.formUnion(rows.map(\.table))
            for orphans in try RowRebuild(core: core, channel: channel).run(rows) {
                ruled.append(Rejection(orphans.block, Rejection.struck(orphans.changes)))
            }
        }
    }

    /// A restored store may learn that its row was struck, or deleted for good, before its own changes of that row come
    /// back.
    private func noteOrphans() throws {
        guard core.struck.hasAny || core.finals.hasAny, let ownKey else { return }
        for opened in scheduled where (try? opened.block.verify(deviceKey: ownKey)) != nil {
            let orphans = try (0..<opened.body.count).filter { change in
                guard !opened.struck.contains(change), !opened.final.contains(change),
                    opened.body.kinds[change] != .insert
                else { return false }
                let row = RowKey(opened, change)
                let state = try core.rows.states(table: opened.table(change), id: row.id)[opened.channel]
                return !(state?.writes.contains { $0.columns.contains(.existence) } ?? false)
            }
            let deleted = try orphans.filter { try namesFinal($0, of: opened) }
            let struck = Set(orphans).subtracting(deleted).sorted()
            if !deleted.isEmpty { ruled.append(Rejection(opened.block, Rejection.deleted(ChangeSet(deleted)))) }
            if !struck.isEmpty { ruled.append(Rejection(opened.block, Rejection.struck(ChangeSet(struck)))) }
        }
    }

    private func namesFinal(_ change: Int, of opened: OpenedBlock) throws -> Bool {
        guard core.finals.hasAny else { return false }
        var named: [Dot] = []
        opened.named(by: change, core.index, into: &named)
        return try named.contains { dot in
            guard let span = try core.index.span(of: dot) else { return false }
            return try core.finals.changes(of: span.hash).contains(Int(dot.counter - span.first))
        }
    }

    private func noteNamed(of opened: OpenedBlock) throws {
        for change in opened.struck.ranges.joined() {
            var named: [Dot] = []
            opened.named(by: change, core.index, into: &named)
            try core.struck.add(opened.dot(change), named: named)
        }
    }

    private func retime() throws {
        guard !retimed.isEmpty else { return }
        var opened: [OpenedBlock] = []
        for block in retimed {
            guard try core.index.block(hash: block.hash)?.isApplied == true, let ready = try open(block) else {
                continue
            }
            opened.append(ready)
            // A tick above what is tolerated is how one overwrites a capped claim, and no fault of this clock.
            let claimed = HybridClock(milliseconds: block.header.lastClock.milliseconds)
            guard claimed.effective(acceptedAtMilliseconds: ready.acceptedAt) != claimed else { continue }
            try core.notice(
                "clock", at: now,
                "this device's clock was ahead: the times of \(block.header.count) changes were corrected")
        }
        let pass = MergePass(opened, core: core, isRetiming: true)
        try pass.run()
        touchedTables.formUnion(pass.touchedTables)
        retimed = []
    }

    // MARK: readiness

    private func mergeReady(_ blocks: [Block]) throws {
        var waiting = blocks
        var progressed = true
        while progressed, !waiting.isEmpty {
            progressed = false
            let (groups, rest) = try groups(waiting)
            waiting = rest
            for group in groups {
                let left = group.filter { !scheduledHashes.contains($0.hash) }
                if try schedule(left) { progressed = true } else { waiting += left }
            }
            var seen = scheduledHashes
            waiting = waiting.filter { seen.insert($0.hash).inserted }
        }
        try mergeScheduled()
        report.heldBlocks = waiting.count
    }

    /// Whole groups in order of their last block, and the blocks of incomplete ones.
    ///
    /// Two groups may begin with the same blocks: a restored writer seals what waited in its backup just as it had
    /// done before, and goes on differently.
    private func groups(_ blocks: [Block]) throws(StoreError) -> (whole: [[Block]], rest: [Block]) {
        let waiting = Dictionary(blocks.map { ($0.hash, $0) }) { first, _ in first }
        var whole: [[Block]] = []
        var used: Set<Hash256> = []
        for block in blocks where block.header.isGroupEnd {
            guard let group = try group(endingWith: block, waiting) else { continue }
            whole.append(group)
            used.formUnion(group.map(\.hash))
        }
        return (whole, blocks.filter { !used.contains($0.hash) })
    }

    /// Where whole groups are held back. Of a group whose rest its writer lost before it was sent, everybody holds the
    /// same part, and nobody's merged state has it.
    func channelsThatWait() throws -> Set<Int> {
        let (groups, _) = try groups(core.blocks.held())
        return Set(groups.joined().compactMap { core.channels.find($0.header.channel)?.number })
    }

    /// What is not merged of the group; nil while a part is missing.
    private func group(endingWith last: Block, _ waiting: [Hash256: Block]) throws(StoreError) -> [Block]? {
        var group = [last]
        var first = last
        while !first.header.isGroupStart {
            if let previous = waiting[first.header.previous] {
                group.append(previous)
                first = previous
            } else if try isMerged(first.header.previous) {
                break
            } else {
                return nil
            }
        }
        return group.reversed()
    }

    private func isMerged(_ hash: Hash256) throws(StoreError) -> Bool {
        if scheduledHashes.contains(hash) { return true }
        return try core.index.block(hash: hash)?.isApplied == true
    }

    private func schedule(_ group: [Block]) throws -> Bool {
        var ready: [OpenedBlock] = []
        var hashes: Set<Hash256> = []
        for block in group {
            guard let opened = try open(block, besides: hashes) else { return false }
            hashes.insert(block.hash)
            ready.append(opened)
        }
        for opened in ready {
            try opened.meetTables(core.catalogue, core.sql)
            scheduledHashes.insert(opened.block.hash)
            scheduled.append(opened)
            scheduledCount += opened.body.count
            if scheduledCount >= core.limits.changesPerMerge { try mergeScheduled() }
        }
        return true
    }

    /// The block with its branches resolved; nil while it builds on something that is not merged here, or is not
    /// readable by this version (its lane waits, others go on).
    private func open(_ block: Block, besides group: Set<Hash256> = []) throws -> OpenedBlock? {
        let channel = try core.channels.number(block.header.channel)
        guard let branch = try branch(of: block, channel: channel, besides: group) else { return nil }
        var body: BlockBody
        do { body = try core.codec.open(block) } catch { return try wait(block, error.message) }
        var branches = [branch]
        for pin in body.pins {
            guard let pinned = try core.index.block(pinnedBy: pin, channel: channel),
                pinned.isApplied || scheduledHashes.contains(pinned.hash) || group.contains(pinned.hash)
            else { return nil }
            branches.append(pinned.branch)
        }
        do { try core.births.complete(&body, branches: branches) } catch let error as ProtocolError {
            return try wait(block, error.message)
        }
        let acceptance = try core.blocks.acceptance(of: block.hash)
        let struck = acceptance?.ruling?.struck ?? ChangeSet()
        guard struck.ranges.last.map({ $0.upperBound <= body.count }) ?? true else {
            return try wait(block, "a ruling strikes changes that it does not have")
        }
        let opened = OpenedBlock(
            block, body: body, channel: channel, branches: branches, acceptedAt: acceptance?.acceptedAt,
            struck: struck, final: try core.finals.changes(of: block.hash))
        do { try opened.meetTables(core.catalogue, core.sql) } catch {
            guard error.code == .malformedBlock else { throw error }
            return try wait(block, error.message)
        }
        return opened
    }

    /// What cannot be read halts its own lane; people are told once.
    private func wait(_ block: Block, _ why: String) throws(StoreError) -> OpenedBlock? {
        let lane = "\(block.header.channel) of replica \(block.header.replica)"
        try core.noticeOnce("unreadable", at: now, "block \(block.hash) in \(lane) waits: \(why)")
        return nil
    }

    private func branch(of block: Block, channel: Int, besides group: Set<Hash256>) throws(StoreError) -> Int? {
        let previous = block.header.previous
        if previous != .zero, !group.contains(previous) {
            guard try isMerged(previous) else { return nil }
        }
        if let known = try core.index.block(hash: block.hash)?.branch { return known }
        guard let branch = try core.index.branch(for: block.header, channel: channel) else { return nil }
        try core.blocks.setBranch(branch, of: block.hash)
        try append(block.head, to: branch)
        return branch
    }

    private func mergeScheduled() throws {
        guard !scheduled.isEmpty else { return }
        for opened in scheduled where !opened.struck.isEmpty { try noteNamed(of: opened) }
        var orphans = Orphans(core: core)
        try orphans.look(at: scheduled)
        let pass = MergePass(scheduled, core: core)
        try pass.run()
        try orphans.lookAgain()
        ruled += orphans.rejections
        report.changes += pass.changeCount
        touchedTables.formUnion(pass.touchedTables)
        for opened in scheduled {
            try core.blocks.markApplied(opened.block.hash, branch: opened.branch)
            try core.index.markApplied(opened.block.hash, on: opened.branch)
        }
        try noteOrphans()
        (scheduled, scheduledCount) = ([], 0)
    }
}
