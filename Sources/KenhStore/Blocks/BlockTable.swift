import KenhMerge
import KenhProtocol

/// Blocks as they lie in `kenh_block`, in the order in which this node took them.
struct BlockTable {
    let sql: StatementCache

    private static let columns = "header, body, device_signature, officer_signature, detached"

    func insert(
        _ block: Block, channel: Int, branch: Int?, isApplied: Bool, acceptance: Delivery.Acceptance?
    ) throws(StoreError) {
        try insert(
            block.head, body: block.body, detached: block.detached, channel: channel, branch: branch,
            isApplied: isApplied, acceptance: acceptance, baseSequence: nil)
    }

    /// A block whose changes a snapshot covers, and whose body is not here.
    ///
    /// - Parameter acceptance: of the entry that brought it, by whose sequence the snapshot names its changes.
    func insert(
        _ head: BlockHead, channel: Int, branch: Int?, acceptance: Delivery.Acceptance
    ) throws(StoreError) {
        try insert(
            head, body: [], detached: [], channel: channel, branch: branch, isApplied: false, acceptance: acceptance,
            baseSequence: acceptance.sequence)
    }

    private func insert(
        _ head: BlockHead, body: [UInt8], detached: [UInt8], channel: Int, branch: Int?, isApplied: Bool,
        acceptance: Delivery.Acceptance?, baseSequence: UInt64?
    ) throws(StoreError) {
        let insert = try sql(
            """
            INSERT INTO kenh_block(hash, ch, branch, first_counter, changes, is_applied, sequence, accepted_at,
                header, device_signature, officer_signature, detached, body, proof, log_accepted_at, ruling,
                base_sequence)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?8, ?15, ?16)
            """)
        insert.bind(1, copying: head.hash.bytes)
        insert.bind(2, channel)
        if let branch { insert.bind(3, branch) } else { insert.bindNull(3) }
        insert.bind(4, Int64(clamping: head.header.firstCounter))
        insert.bind(5, Int64(head.header.count))
        insert.bind(6, isApplied ? 1 : 0)
        insert.bind(7, copying: acceptance.map { .integer(Int64(clamping: $0.sequence)) } ?? .null)
        insert.bind(8, copying: acceptance.map { .integer($0.acceptedAtMilliseconds) } ?? .null)
        insert.bind(9, copying: head.headerBytes)
        insert.bind(10, copying: head.deviceSignature)
        insert.bind(11, copying: head.officerSignature)
        insert.bind(12, copying: detached)
        insert.bind(13, copying: body)
        insert.bind(14, copying: acceptance?.proof.map { .blob($0.stored) } ?? .null)
        insert.bind(15, copying: acceptance?.ruling.map { .blob($0.stored) } ?? .null)
        insert.bind(16, copying: baseSequence.map { .integer(Int64(clamping: $0)) } ?? .null)
        try insert.run()
    }

    /// What a channel's snapshot covers, in the log's order.
    func heads(of channel: Int) throws -> [Delivery.Item] {
        let read = try sql(
            """
            SELECT header, device_signature, officer_signature, base_sequence, accepted_at, ruling FROM kenh_block
            WHERE ch = ? AND base_sequence IS NOT NULL ORDER BY base_sequence
            """)
        defer { read.reset() }
        read.bind(1, channel)
        var items: [Delivery.Item] = []
        while try read.step() {
            let head = try BlockHead(
                headerBytes: read.array(0), deviceSignature: read.array(1), officerSignature: read.array(2))
            let acceptance = Delivery.Acceptance(
                sequence: UInt64(clamping: read.int(3)), acceptedAtMilliseconds: read.int(4),
                ruling: try Self.ruling(read, 5))
            items.append(Delivery.Item(hash: head.hash, block: nil, acceptance: acceptance, head: head))
        }
        return items
    }

    /// A block without a body is one that a snapshot covers.
    static let hasBody = "length(body) > 0"

    /// Whether the block is here without its body.
    func isHead(_ hash: Hash256) throws(StoreError) -> Bool {
        let read = try sql("SELECT NOT \(Self.hasBody) FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() && read.int(0) != 0
    }

    /// Gives a block that was here without it its body; the merged state has its changes already, or will have.
    func fill(_ block: Block) throws(StoreError) {
        let update = try sql(
            "UPDATE kenh_block SET body = ?2, detached = ?3 WHERE hash = ?1 AND NOT \(Self.hasBody)")
        update.bind(1, copying: block.hash.bytes)
        update.bind(2, copying: block.body)
        update.bind(3, copying: block.detached)
        try update.run()
    }

    /// Nil where the block is not here.
    func channel(of hash: Hash256) throws(StoreError) -> Int? {
        let read = try sql("SELECT ch FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? Int(read.int(0)) : nil
    }

    /// Channels with blocks that the centre has not acknowledged.
    func channelsWithUnsent() throws(StoreError) -> Set<Int> {
        let read = try sql("SELECT DISTINCT ch FROM kenh_block WHERE sequence IS NULL AND \(Self.hasBody)")
        defer { read.reset() }
        var channels: Set<Int> = []
        while try read.step() { channels.insert(Int(read.int(0))) }
        return channels
    }

    /// Blocks that the centre has not acknowledged, in order, up to a number of bytes (but at least one).
    func unsent(limitBytes: Int, limitCount: Int) throws -> [Block] {
        let read = try sql(
            """
            SELECT \(Self.columns) FROM kenh_block WHERE sequence IS NULL AND \(Self.hasBody)
            ORDER BY seq LIMIT \(limitCount)
            """)
        defer { read.reset() }
        var blocks: [Block] = []
        var bytes = 0
        while try read.step() {
            let block = try Self.block(read)
            bytes += block.byteCount
            if !blocks.isEmpty, bytes > limitBytes { break }
            blocks.append(block)
        }
        return blocks
    }

    func held() throws -> [Block] {
        let read = try sql(
            "SELECT \(Self.columns) FROM kenh_block WHERE is_applied = 0 AND \(Self.hasBody) ORDER BY seq")
        defer { read.reset() }
        var blocks: [Block] = []
        while try read.step() { blocks.append(try Self.block(read)) }
        return blocks
    }

    /// Nil, too, where the block is here without its body.
    func block(_ hash: Hash256) throws -> Block? {
        let read = try sql("SELECT \(Self.columns) FROM kenh_block WHERE hash = ? AND \(Self.hasBody)")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? try Self.block(read) : nil
    }

    /// Who was signed in when the block was written; its body is not read.
    func officer(of hash: Hash256) throws -> String? {
        let read = try sql("SELECT header FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? try BlockHeader(decoding: read.array(0)).officer : nil
    }

    /// The size of the block's plain body as its header declares it.
    /// Merged blocks whose newest entry stands above a place, and those without one.
    func merged(in channel: Int, after sequence: UInt64) throws(StoreError) -> [Hash256] {
        let read = try sql(
            """
            SELECT hash FROM kenh_block
            WHERE ch = ? AND is_applied = 1 AND (sequence IS NULL OR sequence > ?) AND \(Self.hasBody)
            """)
        defer { read.reset() }
        read.bind(1, channel)
        read.bind(2, Int64(clamping: sequence))
        var hashes: [Hash256] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw BranchIndex.damaged }
            hashes.append(hash)
        }
        return hashes
    }

    func firstCounter(of hash: Hash256) throws(StoreError) -> UInt64? {
        let read = try sql("SELECT first_counter FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? UInt64(clamping: read.int(0)) : nil
    }

    func plainSize(of hash: Hash256) throws -> Int? {
        let read = try sql("SELECT header FROM kenh_block WHERE hash = ?")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        return try read.step() ? try BlockHeader(decoding: read.array(0)).plainSize : nil
    }

    /// All blocks with a body, or those of one channel, or only those that are merged, in the order in which this node took
    /// them; when the centre took each, and what it struck of it.
    func forEach(
        channel: Int? = nil, onlyApplied: Bool = false,
        _ body: (Block, _ acceptedAt: Int64?, _ ruling: Ruling?) throws -> Void
    ) throws {
        let read = try sql(
            """
            SELECT \(Self.columns), accepted_at, ruling FROM kenh_block
            WHERE (?1 IS NULL OR ch = ?1) AND is_applied >= ?2 AND \(Self.hasBody) ORDER BY seq
            """)
        defer { read.reset() }
        read.bind(1, copying: channel.map { .integer(Int64($0)) } ?? .null)
        read.bind(2, onlyApplied ? 1 : 0)
        while try read.step() {
            try body(try Self.block(read), read.isNull(5) ? nil : read.int(5), try Self.ruling(read, 6))
        }
    }

    private static func ruling(_ read: Statement, _ column: Int32) throws -> Ruling? {
        try read.isNull(column) ? nil : Ruling(decoding: read.array(column))
    }

    func set(_ ruling: Ruling, on hash: Hash256) throws(StoreError) {
        let update = try sql("UPDATE kenh_block SET ruling = ?2 WHERE hash = ?1")
        update.bind(1, copying: hash.bytes)
        update.bind(2, copying: ruling.stored)
        try update.run()
    }

    /// Values were taken out of the section that no hash covers.
    func setDetached(_ detached: [UInt8], of hash: Hash256) throws(StoreError) {
        let update = try sql("UPDATE kenh_block SET detached = ?2 WHERE hash = ?1")
        update.bind(1, copying: hash.bytes)
        update.bind(2, copying: detached)
        try update.run()
    }

    func count() throws(StoreError) -> Int {
        let read = try sql("SELECT count(*) FROM kenh_block")
        defer { read.reset() }
        return try read.step() ? Int(read.int(0)) : 0
    }

    /// What the centre said of a block; nil where it has said nothing.
    func acceptance(
        of hash: Hash256
    ) throws -> (sequence: UInt64?, acceptedAt: Int64, ruling: Ruling?)? {
        let read = try sql(
            "SELECT sequence, accepted_at, ruling FROM kenh_block WHERE hash = ? AND accepted_at IS NOT NULL")
        defer { read.reset() }
        read.bind(1, copying: hash.bytes)
        guard try read.step() else { return nil }
        return (read.isNull(0) ? nil : UInt64(clamping: read.int(0)), read.int(1), try Self.ruling(read, 2))
    }

    /// The earliest acceptance counts; the place is the newest in the log as it is now. What the log itself says is kept
    /// beside it: where that is later, the log has to be told, see ``owed()``.
    func accept(_ hash: Hash256, _ acceptance: Delivery.Acceptance) throws(StoreError) {
        let update = try sql(
            """
            UPDATE kenh_block SET sequence = max(coalesce(sequence, 0), ?2),
                log_accepted_at = min(coalesce(log_accepted_at, ?3), ?3),
                accepted_at = min(coalesce(accepted_at, ?3), ?3),
                proof = CASE WHEN accepted_at < ?3 THEN coalesce(proof, ?4) ELSE coalesce(?4, proof) END
            WHERE hash = ?1
            """)
        update.bind(1, copying: hash.bytes)
        update.bind(2, Int64(clamping: acceptance.sequence))
        update.bind(3, acceptance.acceptedAtMilliseconds)
        update.bind(4, copying: acceptance.proof.map { .blob($0.stored) } ?? .null)
        try update.run()
    }

    // MARK: the log as it was followed

    /// The proof of the channel's newest accepted block up to a sequence.
    func proof(channel: Int, upTo sequence: UInt64) throws(StoreError) -> EntryProof? {
        let read = try sql(
            "SELECT proof FROM kenh_block WHERE ch = ? AND sequence <= ? AND proof IS NOT NULL ORDER BY sequence DESC LIMIT 1"
        )
        defer { read.reset() }
        read.bind(1, channel)
        read.bind(2, Int64(clamping: sequence))
        return try read.step() ? EntryProof(stored: read.array(0)) : nil
    }

    func newestAccepted(channel: Int) throws(StoreError) -> (sequence: UInt64, proof: EntryProof?)? {
        let read = try sql(
            "SELECT sequence, proof FROM kenh_block WHERE ch = ? AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1"
        )
        defer { read.reset() }
        read.bind(1, channel)
        guard try read.step() else { return nil }
        return (UInt64(clamping: read.int(0)), read.isNull(1) ? nil : EntryProof(stored: read.array(1)))
    }

    /// Names and proofs of a channel's blocks that the log had above a sequence, in its order; none that is here without
    /// its body and so could not be handed back.
    func accepted(channel: Int, above sequence: UInt64) throws(StoreError) -> [(hash: Hash256, proof: EntryProof?)] {
        let read = try sql(
            "SELECT hash, proof FROM kenh_block WHERE ch = ? AND sequence > ? AND \(Self.hasBody) ORDER BY sequence")
        defer { read.reset() }
        read.bind(1, channel)
        read.bind(2, Int64(clamping: sequence))
        var accepted: [(hash: Hash256, proof: EntryProof?)] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw BranchIndex.damaged }
            accepted.append((hash, read.isNull(1) ? nil : EntryProof(stored: read.array(1))))
        }
        return accepted
    }

    /// Blocks that were taken earlier than the log says, which a restore had made forget it.
    func owed() throws(StoreError) -> [(hash: Hash256, proof: EntryProof)] {
        let read = try sql(
            """
            SELECT hash, proof FROM kenh_block WHERE accepted_at < log_accepted_at AND proof IS NOT NULL ORDER BY seq
            """)
        defer { read.reset() }
        var owed: [(hash: Hash256, proof: EntryProof)] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw BranchIndex.damaged }
            if let proof = EntryProof(stored: read.array(1)) { owed.append((hash, proof)) }
        }
        return owed
    }

    func owesAny() throws(StoreError) -> Bool {
        let read = try sql("SELECT 1 FROM kenh_block WHERE accepted_at < log_accepted_at AND proof IS NOT NULL LIMIT 1")
        defer { read.reset() }
        return try read.step()
    }

    /// Blocks above a place are unsent again; when they were accepted stays known.
    func forgetPlaces(channel: Int, above sequence: UInt64) throws(StoreError) {
        let update = try sql(
            "UPDATE kenh_block SET sequence = NULL, log_accepted_at = NULL WHERE ch = ? AND sequence > ?")
        update.bind(1, channel)
        update.bind(2, Int64(clamping: sequence))
        try update.run()
    }

    func appliedHashes() throws(StoreError) -> Set<Hash256> {
        let read = try sql("SELECT hash FROM kenh_block WHERE is_applied = 1")
        defer { read.reset() }
        var hashes: Set<Hash256> = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw BranchIndex.damaged }
            hashes.insert(hash)
        }
        return hashes
    }

    func markApplied(_ hash: Hash256, branch: Int) throws(StoreError) {
        let update = try sql("UPDATE kenh_block SET is_applied = 1, branch = ?2 WHERE hash = ?1")
        update.bind(1, copying: hash.bytes)
        update.bind(2, branch)
        try update.run()
    }

    func setBranch(_ branch: Int, of hash: Hash256) throws(StoreError) {
        let update = try sql("UPDATE kenh_block SET branch = ?2 WHERE hash = ?1")
        update.bind(1, copying: hash.bytes)
        update.bind(2, branch)
        try update.run()
    }

    private static func block(_ read: Statement) throws -> Block {
        try Block(
            headerBytes: read.array(0), body: read.array(1), deviceSignature: read.array(2),
            officerSignature: read.array(3), detached: read.array(4))
    }
}

extension Ruling {
    /// As it lies in a store: its message.
    fileprivate var stored: [UInt8] { (try? encoded) ?? [] }
}
