import KenhMerge
import KenhProtocol

extension Delivery {
    /// An erasure as the centre signed it.
    public struct Erasure: Sendable {
        public let proof: EntryProof
        public let bytes: [UInt8]
        public let content: KenhProtocol.Erasure

        /// - Throws: ``ProtocolError``: `malformed`, or `brokenLink` where the entry names another.
        public init(proof: EntryProof, bytes: [UInt8]) throws(ProtocolError) {
            guard ChannelName.isValid(proof.channel) else {
                throw ProtocolError(.malformed, "an erasure stands in a channel that has no blocks")
            }
            content = try KenhProtocol.Erasure(decoding: bytes)
            guard proof.kind == .erasure, KenhProtocol.Erasure.hash(of: bytes) == proof.object else {
                throw ProtocolError(.brokenLink, "a log entry carries another erasure than it names")
            }
            (self.proof, self.bytes) = (proof, bytes)
        }
    }
}

/// What the centre said is to be kept by nobody: `kenh_erasure` has the entries, `kenh_erased` each value by its name, so
/// that a block which comes later is found.
struct ErasureTable {
    let sql: StatementCache

    /// - Returns: whether it was not known.
    func add(_ erasure: Delivery.Erasure) throws(StoreError) -> Bool {
        let object = erasure.proof.object
        let isNew = try !contains(object)
        let insert = try sql(
            """
            INSERT INTO kenh_erasure(object, channel, sequence, accepted_at, proof, content)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT(object) DO UPDATE SET sequence = ?3, accepted_at = min(accepted_at, ?4), proof = ?5
            """)
        insert.bind(1, copying: object.bytes)
        insert.bind(2, copying: erasure.proof.channel)
        insert.bind(3, Int64(clamping: erasure.proof.sequence))
        insert.bind(4, erasure.proof.acceptedAtMilliseconds)
        insert.bind(5, copying: erasure.proof.stored)
        insert.bind(6, copying: erasure.bytes)
        try insert.run()
        guard isNew else { return false }
        for name in erasure.content.names { try add(name, object) }
        return true
    }

    private func contains(_ object: Hash256) throws(StoreError) -> Bool {
        let read = try sql("SELECT 1 FROM kenh_erasure WHERE object = ?")
        defer { read.reset() }
        read.bind(1, copying: object.bytes)
        return try read.step()
    }

    private func add(_ name: Erasure.Name, _ object: Hash256) throws(StoreError) {
        let insert = try sql("INSERT OR IGNORE INTO kenh_erased(hash, place, col, object) VALUES(?, ?, ?, ?)")
        insert.bind(1, copying: name.block.bytes)
        insert.bind(2, name.place)
        insert.bind(3, copying: name.column)
        insert.bind(4, copying: object.bytes)
        try insert.run()
    }

    /// What is named of a block.
    func names(of block: Hash256) throws(StoreError) -> Set<Erasure.Name> {
        let read = try sql("SELECT place, col FROM kenh_erased WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: block.bytes)
        var names: Set<Erasure.Name> = []
        while try read.step() {
            names.insert(Erasure.Name(block: block, place: Int(read.int(0)), column: read.string(1)))
        }
        return names
    }

    /// When and why a value was erased, by the earliest erasure that names it.
    func account(of name: Erasure.Name) throws -> (atMilliseconds: Int64, reason: String)? {
        let read = try sql(
            """
            SELECT e.accepted_at, e.content FROM kenh_erased n JOIN kenh_erasure e ON e.object = n.object
            WHERE n.hash = ? AND n.place = ? AND n.col = ? ORDER BY e.accepted_at, e.object LIMIT 1
            """)
        defer { read.reset() }
        read.bind(1, copying: name.block.bytes)
        read.bind(2, name.place)
        read.bind(3, copying: name.column)
        guard try read.step() else { return nil }
        return (read.int(0), try Erasure(decoding: read.array(1)).reason)
    }

    /// Of one channel those above a sequence, in the log's order; of all without one.
    func all(channel: String? = nil, after sequence: UInt64 = 0) throws -> [Delivery.Erasure] {
        let read = try sql(
            """
            SELECT proof, content FROM kenh_erasure WHERE (?1 IS NULL OR channel = ?1) AND sequence > ?2
            ORDER BY channel, sequence
            """)
        defer { read.reset() }
        read.bind(1, copying: channel.map { .text($0) } ?? .null)
        read.bind(2, Int64(clamping: sequence))
        var erasures: [Delivery.Erasure] = []
        while try read.step() {
            guard let proof = EntryProof(stored: read.array(0)) else { throw BranchIndex.damaged }
            erasures.append(try Delivery.Erasure(proof: proof, bytes: read.array(1)))
        }
        return erasures
    }

    /// A block as it may be kept. What cannot be read cannot be told apart, and is kept as it is.
    func strip(_ block: Block, _ codec: BlockCodec) throws -> Block {
        guard !block.detached.isEmpty else { return block }
        let names = try names(of: block.hash)
        guard !names.isEmpty, let body = try? codec.open(block) else { return block }
        return try block.erasing(body) { names.contains($0) } ?? block
    }
}
