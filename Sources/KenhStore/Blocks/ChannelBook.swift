import KenhMerge
import KenhProtocol

/// How far a channel's log at the centre has been taken in.
public struct ChannelCursor: Sendable, Equatable {
    public let channel: String
    /// 16 random bytes of the log's life; empty before the first exchange.
    public let epoch: [UInt8]
    public let sequence: UInt64
    public let logHash: Hash256
    /// Of the entry that it stands at.
    public let proof: EntryProof?
    /// Whether that entry was shown to be in the log's tree.
    public var isCovered: Bool

    public init(
        channel: String, epoch: [UInt8], sequence: UInt64, logHash: Hash256, proof: EntryProof? = nil,
        isCovered: Bool = false
    ) {
        self.isCovered = isCovered
        self.channel = channel
        self.epoch = epoch
        self.sequence = sequence
        self.logHash = logHash
        self.proof = proof
    }
}

extension ChannelCursor {
    /// Whether they stand at the same place; who can prove it is another matter.
    public static func == (a: ChannelCursor, b: ChannelCursor) -> Bool {
        a.channel == b.channel && a.epoch == b.epoch && a.sequence == b.sequence && a.logHash == b.logHash
    }
}

/// What channels' digests gained, added up here since one row after another is mostly of one channel.
struct DigestGain {
    private var channel = 0
    private var digest = Digest128.zero

    mutating func add(_ digest: Digest128, to channel: Int, of book: ChannelBook) {
        if channel != self.channel { finish(in: book) }
        self.channel = channel
        self.digest += digest
    }

    /// Writes the rest into the book.
    mutating func finish(in book: ChannelBook) {
        book.add(digest, to: channel)
        digest = .zero
    }
}

/// The channels of a store: numbers for names, digests of the merged state, cursors, and the branch written here.
final class ChannelBook {
    struct Channel {
        let number: Int
        let name: String
        var digest: Digest128
        var cursor: ChannelCursor
        var ownBranch: Int?
    }

    private var channels: [Int: Channel] = [:]
    private var numbers: [String: Int] = [:]
    private var dirty: Set<Int> = []
    private let sql: StatementCache

    init(_ sql: StatementCache) { self.sql = sql }

    func load() throws(StoreError) {
        (channels, numbers, dirty) = ([:], [:], [])
        let read = try sql(
            "SELECT number, name, digest, epoch, sequence, log_hash, own_branch, proof, is_covered FROM kenh_channel")
        defer { read.reset() }
        while try read.step() {
            let name = read.string(1)
            guard numbers[name] == nil, (1...Int64(Int32.max)).contains(read.int(0)) else {
                throw BranchIndex.damaged
            }
            let cursor = ChannelCursor(
                channel: name, epoch: read.array(3), sequence: UInt64(clamping: read.int(4)),
                logHash: Hash256(bytes: read.array(5)) ?? .zero,
                proof: read.isNull(7) ? nil : EntryProof(stored: read.array(7)), isCovered: read.int(8) != 0)
            add(
                Channel(
                    number: Int(read.int(0)), name: name, digest: Digest128(bytes: read.array(2)) ?? .zero,
                    cursor: cursor, ownBranch: read.isNull(6) ? nil : Int(read.int(6))))
        }
    }

    private func add(_ channel: Channel) {
        channels[channel.number] = channel
        numbers[channel.name] = channel.number
    }

    var all: [Channel] { channels.values.sorted { $0.number < $1.number } }

    subscript(number: Int) -> Channel? { channels[number] }

    func name(_ number: Int) -> String { channels[number]?.name ?? "?" }

    func find(_ name: String) -> Channel? { numbers[name].flatMap { channels[$0] } }

    /// The channel's number; a new channel is written down.
    func number(_ name: String) throws(StoreError) -> Int {
        if let known = numbers[name] { return known }
        let number = (channels.keys.max() ?? 0) + 1
        let insert = try sql("INSERT INTO kenh_channel(number, name, digest) VALUES(?, ?, ?)")
        insert.bind(1, number)
        insert.bind(2, copying: name)
        insert.bind(3, copying: Digest128.zero.bytes)
        try insert.run()
        let cursor = ChannelCursor(channel: name, epoch: [], sequence: 0, logHash: .zero)
        add(Channel(number: number, name: name, digest: .zero, cursor: cursor, ownBranch: nil))
        return number
    }

    func add(_ digest: Digest128, to number: Int) {
        guard digest != .zero else { return }
        channels[number]?.digest += digest
        dirty.insert(number)
    }

    func set(_ cursor: ChannelCursor) throws(StoreError) {
        let number = try number(cursor.channel)
        channels[number]?.cursor = cursor
        dirty.insert(number)
    }

    /// Notes which entries were shown to be in the log's tree, where cursors stand at them still.
    func cover(_ places: [String: LogRecord.Place]) {
        for (name, place) in places {
            guard let number = numbers[name], let cursor = channels[number]?.cursor, !cursor.isCovered,
                cursor.sequence == place.sequence, cursor.logHash == place.logHash
            else { continue }
            channels[number]?.cursor.isCovered = true
            dirty.insert(number)
        }
    }

    /// Another log's tree shows nothing of this one's entries.
    func uncover() {
        for number in channels.keys where channels[number]?.cursor.isCovered == true {
            channels[number]?.cursor.isCovered = false
            dirty.insert(number)
        }
    }

    /// What is written here from now on begins new lanes.
    func forgetOwnBranches() {
        for number in channels.keys where channels[number]?.ownBranch != nil {
            channels[number]?.ownBranch = nil
            dirty.insert(number)
        }
    }

    /// Nothing of the channel is merged, and none of its log followed.
    func restart(_ number: Int) {
        guard let name = channels[number]?.name else { return }
        channels[number]?.cursor = ChannelCursor(channel: name, epoch: [], sequence: 0, logHash: .zero)
        channels[number]?.digest = .zero
        dirty.insert(number)
    }

    func setOwnBranch(_ branch: Int, of number: Int) {
        channels[number]?.ownBranch = branch
        dirty.insert(number)
    }

    /// Writes what changed; at the end of each transaction.
    func flush() throws(StoreError) {
        let update = try sql(
            "UPDATE kenh_channel SET digest = ?2, epoch = ?3, sequence = ?4, log_hash = ?5, own_branch = ?6, proof = ?7, is_covered = ?8 WHERE number = ?1"
        )
        for number in dirty {
            guard let channel = channels[number] else { continue }
            update.bind(1, number)
            update.bind(2, copying: channel.digest.bytes)
            update.bind(3, copying: channel.cursor.epoch)
            update.bind(4, Int64(clamping: channel.cursor.sequence))
            update.bind(5, copying: channel.cursor.logHash.bytes)
            if let branch = channel.ownBranch { update.bind(6, branch) } else { update.bindNull(6) }
            if let proof = channel.cursor.proof { update.bind(7, copying: proof.stored) } else { update.bindNull(7) }
            update.bind(8, channel.cursor.isCovered ? 1 : 0)
            try update.run()
        }
        dirty = []
    }
}
