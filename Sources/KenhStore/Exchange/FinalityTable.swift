import KenhMerge
import KenhProtocol

extension Delivery {
    /// An entry on final deletions as the centre signed it.
    public struct Finality: Sendable {
        public let proof: EntryProof
        public let bytes: [UInt8]
        public let content: KenhProtocol.Finality

        /// - Throws: ``ProtocolError``: `malformed`, or `brokenLink` where the entry names another.
        public init(proof: EntryProof, bytes: [UInt8]) throws(ProtocolError) {
            guard ChannelName.isValid(proof.channel) else {
                throw ProtocolError(.malformed, "a final deletion stands in a channel that has no blocks")
            }
            content = try KenhProtocol.Finality(decoding: bytes)
            guard proof.kind == .finality, KenhProtocol.Finality.hash(of: bytes) == proof.object else {
                throw ProtocolError(.brokenLink, "a log entry carries other final deletions than it names")
            }
            (self.proof, self.bytes) = (proof, bytes)
        }
    }
}

/// Which writes are to be in no row's state: `kenh_finality` has the entries, `kenh_final` the changes by their blocks, so
/// that a block which is merged later is found.
final class FinalityTable {
    private let sql: StatementCache
    /// Most blocks of most stores have none, and then nothing is looked up.
    private(set) var hasAny = false

    init(_ sql: StatementCache) { self.sql = sql }

    func load() throws(StoreError) {
        let read = try sql("SELECT 1 FROM kenh_final LIMIT 1")
        defer { read.reset() }
        hasAny = try read.step()
    }

    /// - Returns: whether it was not known.
    func add(_ finality: Delivery.Finality) throws(StoreError) -> Bool {
        let object = finality.proof.object
        let isNew = try !contains(object)
        let insert = try sql(
            """
            INSERT INTO kenh_finality(object, channel, sequence, proof, content) VALUES(?1, ?2, ?3, ?4, ?5)
            ON CONFLICT(object) DO UPDATE SET sequence = ?3, proof = ?4
            """)
        insert.bind(1, copying: object.bytes)
        insert.bind(2, copying: finality.proof.channel)
        insert.bind(3, Int64(clamping: finality.proof.sequence))
        insert.bind(4, copying: finality.proof.stored)
        insert.bind(5, copying: finality.bytes)
        try insert.run()
        guard isNew else { return false }
        for part in finality.content.blocks { try add(part) }
        hasAny = true
        return true
    }

    private func contains(_ object: Hash256) throws(StoreError) -> Bool {
        let read = try sql("SELECT 1 FROM kenh_finality WHERE object = ?")
        defer { read.reset() }
        read.bind(1, copying: object.bytes)
        return try read.step()
    }

    private func add(_ part: Finality.BlockPart) throws(StoreError) {
        let known = try stored(of: part.hash)
        let write = try sql("INSERT OR REPLACE INTO kenh_final(hash, changes) VALUES(?, ?)")
        write.bind(1, copying: part.hash.bytes)
        write.bind(2, copying: known.union(part.changes).packed)
        try write.run()
    }

    /// What of a block is in no row's state.
    func changes(of block: Hash256) throws(StoreError) -> ChangeSet {
        hasAny ? try stored(of: block) : ChangeSet()
    }

    private func stored(of block: Hash256) throws(StoreError) -> ChangeSet {
        let read = try sql("SELECT changes FROM kenh_final WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        guard try read.step() else { return ChangeSet() }
        guard let changes = ChangeSet(packed: read.array(0)) else { throw BranchIndex.damaged }
        return changes
    }

    /// Of one channel those above a sequence, in the log's order; of all without one.
    func all(channel: String? = nil, after sequence: UInt64 = 0) throws -> [Delivery.Finality] {
        let read = try sql(
            """
            SELECT proof, content FROM kenh_finality WHERE (?1 IS NULL OR channel = ?1) AND sequence > ?2
            ORDER BY channel, sequence
            """)
        defer { read.reset() }
        read.bind(1, copying: channel.map { .text($0) } ?? .null)
        read.bind(2, Int64(clamping: sequence))
        var found: [Delivery.Finality] = []
        while try read.step() {
            guard let proof = EntryProof(stored: read.array(0)) else { throw BranchIndex.damaged }
            found.append(try Delivery.Finality(proof: proof, bytes: read.array(1)))
        }
        return found
    }
}

extension ChangeSet {
    /// The gap before each range and its length, as varints.
    fileprivate var packed: [UInt8] {
        var writer = ByteWriter()
        var end = 0
        for range in ranges {
            writer.varint(UInt64(range.lowerBound - end))
            writer.varint(UInt64(range.count))
            end = range.upperBound
        }
        return writer.bytes
    }

    fileprivate init?(packed: [UInt8]) {
        self.init()
        let failure = packed.withUnsafeBytes { bytes -> MalformedBytes? in
            var reader = ByteReader(bytes)
            var (end, places) = (0, [Int]())
            do throws(MalformedBytes) {
                while !reader.isAtEnd {
                    let first = end + (try reader.count(upTo: Limits.changesPerBlock))
                    let count = try reader.count(upTo: Limits.changesPerBlock - first)
                    places += first..<first + count
                    end = first + count
                }
            } catch { return error }
            self = ChangeSet(places)
            return nil
        }
        if failure != nil { return nil }
    }
}
