import KenhMerge
import KenhProtocol

/// The branches of all lanes that this node knows, and which block holds which counter. Kept in memory, loaded from
/// `kenh_branch` and, branch by branch when it is asked for, from `kenh_block`.
final class BranchIndex: DotOrder {
    struct Span {
        let first: UInt64
        let count: UInt64
        let hash: Hash256
        var isApplied: Bool

        var last: UInt64 { first &+ count &- 1 }
    }

    struct Branch {
        let replica: ReplicaID
        let channel: Int
        let parent: Int?
        let first: UInt64
        var spans: [Span]?
    }

    // Asked for every stamp and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var branches: [Int: Branch] = [:]
    /// Where the last dot stood: its neighbours follow in most merges.
    @exclusivity(unchecked) private var latest: (branch: UInt32, span: Span)?
    private let sql: StatementCache
    /// Far more than there ever are; a dot has room for them.
    private static let numbers = 1...Int(Int32.max)

    init(_ sql: StatementCache) { self.sql = sql }

    func load() throws(StoreError) {
        (branches, latest) = ([:], nil)
        let read = try sql("SELECT number, replica, ch, parent, first_counter FROM kenh_branch")
        defer { read.reset() }
        while try read.step() {
            let number = Int(read.int(0))
            let parent = read.isNull(3) ? nil : Int(read.int(3))
            // A branch is made after the one that it leaves, so what a line goes back through always ends.
            guard let replica = ReplicaID(bytes: read.bytes(1)), Self.numbers.contains(number),
                parent.map({ Self.numbers.contains($0) && $0 < number }) ?? true
            else { throw Self.damaged }
            branches[number] = Branch(
                replica: replica, channel: Int(read.int(2)), parent: parent, first: UInt64(clamping: read.int(4)),
                spans: nil)
        }
    }

    func branch(_ number: Int) -> Branch? { branches[number] }

    var all: [Int: Branch] { branches }

    // MARK: order and digest

    func replica(ofBranch branch: UInt32) -> ReplicaID {
        branches[Int(branch)]?.replica ?? ReplicaID(high: 0, low: 0)
    }

    func blockHash(of dot: Dot) -> Hash256 { (try? place(of: dot))?.hash ?? .zero }

    /// The block that holds a dot, and the change's index in it.
    func place(of dot: Dot) throws(StoreError) -> BlockPlace {
        guard let span = try span(of: dot) else { throw Self.damaged }
        return BlockPlace(hash: span.hash, index: dot.counter - span.first)
    }

    /// The block that holds a dot; nil where the branch has no such counter.
    func span(of dot: Dot) throws(StoreError) -> Span? {
        if let latest, latest.branch == dot.branch, latest.span.first <= dot.counter, dot.counter <= latest.span.last {
            return latest.span
        }
        let spans = try spans(of: Int(dot.branch))
        var (low, high) = (0, spans.count)
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].last < dot.counter { low = middle + 1 } else { high = middle }
        }
        guard low < spans.count, spans[low].first <= dot.counter else { return nil }
        latest = (dot.branch, spans[low])
        return spans[low]
    }

    func spans(of branch: Int) throws(StoreError) -> [Span] {
        guard let known = branches[branch] else { throw Self.damaged }
        if let spans = known.spans { return spans }
        let read = try sql(
            "SELECT first_counter, changes, hash, is_applied FROM kenh_block WHERE branch = ? ORDER BY first_counter")
        defer { read.reset() }
        read.bind(1, branch)
        var spans: [Span] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(2)) else { throw Self.damaged }
            spans.append(
                Span(
                    first: UInt64(clamping: read.int(0)), count: UInt64(clamping: read.int(1)), hash: hash,
                    isApplied: read.int(3) == 1))
        }
        branches[branch]?.spans = spans
        return spans
    }

    /// The last block of a branch.
    func head(of branch: Int) throws(StoreError) -> Span? { try spans(of: branch).last }

    /// The last block of a branch whose changes are in the merged state.
    func lastApplied(of branch: Int) throws(StoreError) -> Span? { try spans(of: branch).last { $0.isApplied } }

    // MARK: growing

    func addBranch(replica: ReplicaID, channel: Int, parent: Int?, first: UInt64) throws(StoreError) -> Int {
        let number = (branches.keys.max() ?? 0) + 1
        let insert = try sql(
            "INSERT INTO kenh_branch(number, replica, ch, parent, first_counter) VALUES(?, ?, ?, ?, ?)")
        insert.bind(1, number)
        insert.bind(2, copying: replica.bytes)
        insert.bind(3, channel)
        if let parent { insert.bind(4, parent) } else { insert.bindNull(4) }
        insert.bind(5, Int64(clamping: first))
        try insert.run()
        branches[number] = Branch(replica: replica, channel: channel, parent: parent, first: first, spans: [])
        return number
    }

    func append(_ span: Span, to branch: Int) throws(StoreError) {
        // The block may be in the table already, and so among spans that are only now read from there.
        guard try spans(of: branch).last?.hash != span.hash else { return }
        branches[branch]?.spans?.append(span)
    }

    func markApplied(_ hash: Hash256, on branch: Int) throws(StoreError) {
        let spans = try spans(of: branch)
        guard let at = spans.lastIndex(where: { $0.hash == hash }) else { throw Self.damaged }
        branches[branch]?.spans?[at].isApplied = true
    }

    /// The branch that a block belongs to by the block before it: the same one, or a new one where another block
    /// already follows there. Nil while the block before it is unknown.
    func branch(for header: BlockHeader, channel: Int) throws(StoreError) -> Int? {
        if header.previous == .zero {
            return try addBranch(replica: header.replica, channel: channel, parent: nil, first: header.firstCounter)
        }
        guard let previous = try block(hash: header.previous), let branch = previous.branch,
            let known = branches[branch], known.replica == header.replica, known.channel == channel,
            previous.last &+ 1 == header.firstCounter
        else { return nil }
        if try head(of: branch)?.hash == header.previous { return branch }
        return try addBranch(replica: header.replica, channel: channel, parent: branch, first: header.firstCounter)
    }

    struct KnownBlock {
        let branch: Int?
        let last: UInt64
        let isApplied: Bool
    }

    func block(hash: Hash256) throws(StoreError) -> KnownBlock? {
        let read = try sql("SELECT branch, first_counter + changes - 1, is_applied FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        guard try read.step() else { return nil }
        let branch = read.isNull(0) ? nil : Int(read.int(0))
        guard branch.map({ branches[$0] != nil }) ?? true else { throw Self.damaged }
        return KnownBlock(
            branch: branch, last: UInt64(clamping: read.int(1)),
            isApplied: read.int(2) == 1)
    }

    struct PinnedBlock {
        let hash: Hash256
        let branch: Int
        let isApplied: Bool
    }

    /// The block that a pin means; nil while it is not here.
    func block(pinnedBy pin: ReplicaPin, channel: Int) throws(StoreError) -> PinnedBlock? {
        let read = try sql(
            """
            SELECT hash, branch, is_applied FROM kenh_block
            WHERE hash BETWEEN ?1 AND ?2 AND ch = ?3 AND first_counter + changes - 1 = ?4 AND branch IS NOT NULL
            """)
        defer { read.reset() }
        read.bind(1, copying: pin.hash.bytes)
        read.bind(2, copying: pin.hash.bytes + [UInt8](repeating: 0xff, count: 16))
        read.bind(3, channel)
        read.bind(4, Int64(bitPattern: pin.counter))
        while try read.step() {
            let branch = Int(read.int(1))
            guard branches[branch]?.replica == pin.replica, let hash = Hash256(bytes: read.bytes(0)) else { continue }
            return PinnedBlock(hash: hash, branch: branch, isApplied: read.int(2) == 1)
        }
        return nil
    }

    /// The dot with that counter on the line of blocks that ends in `branch`; nil where the line has no such counter.
    func dot(counter: UInt64, onLineOf branch: Int) -> Dot? {
        var at: Int? = branch
        while let number = at, let known = branches[number] {
            if counter >= known.first { return Dot(branch: UInt32(number), counter: counter) }
            at = known.parent
        }
        return nil
    }

    /// Whether a dot stands on the line of blocks that ends in `branch`.
    func isOnLine(_ dot: Dot, of branch: Int) -> Bool {
        dot.branch == UInt32(branch) || self.dot(counter: dot.counter, onLineOf: branch) == dot
    }

    static let damaged = StoreError(
        .corrupt, "the store's record of blocks is damaged", advice: "run kenh verify and restore a backup")
}
