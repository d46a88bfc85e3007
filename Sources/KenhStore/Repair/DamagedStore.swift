import KenhMerge
import KenhProtocol

/// What a store's damaged file still holds: what cannot be read, or is not what its hash says, is counted and passed
/// over.
struct DamagedStore {
    private let file: DamagedFile

    init(path: String) throws(StoreError) { file = try DamagedFile(path: path) }

    struct Pending {
        let table: String
        let kind: Int64
        let id: Value
        let channel: Value
        let at: Int64
        let officer: String?
        /// By declared column.
        let values: [String: Value]
    }

    func facts() -> [String: Value] {
        let lines = file.lines("SELECT key, value FROM kenh_meta") { ($0.string(0), $0.value(1)) }
        return Dictionary(lines) { $1 }
    }

    /// The registry's statements that the centre signed.
    func statements(signedBy keys: ServingKeys) -> [Delivery.Statement] {
        file.lines("SELECT proof, statement FROM kenh_statement ORDER BY sequence") { read in
            guard let proof = EntryProof(stored: read.array(0)), proof.isGood(by: keys) else { return nil }
            let signed = try WireCoding.decode(WireSignedStatement.self, from: read.array(1))
            let _: WireRegistryStatement = try signed.verified(by: keys, domain: .registryStatement)
            guard proof.object == Hashing.sha256(domain: .registry, Array(signed.statement)) else { return nil }
            return Delivery.Statement(proof: proof, signed: signed)
        }
    }

    /// Erasures that the centre signed.
    func erasures(signedBy keys: ServingKeys) -> [Delivery.Erasure] {
        file.lines("SELECT proof, content FROM kenh_erasure ORDER BY channel, sequence") { read in
            guard let proof = EntryProof(stored: read.array(0)), proof.isGood(by: keys) else { return nil }
            return try Delivery.Erasure(proof: proof, bytes: read.array(1))
        }
    }

    /// Final deletions that the centre signed.
    func finalities(signedBy keys: ServingKeys) -> [Delivery.Finality] {
        file.lines("SELECT proof, content FROM kenh_finality ORDER BY channel, sequence") { read in
            guard let proof = EntryProof(stored: read.array(0)), proof.isGood(by: keys) else { return nil }
            return try Delivery.Finality(proof: proof, bytes: read.array(1))
        }
    }

    /// Checkpoints that the centre signed.
    func checkpoints(signedBy keys: ServingKeys) -> [KeptCheckpoint] {
        file.lines("SELECT note, at, is_contradicted FROM kenh_checkpoint ORDER BY number") { read in
            try KeptCheckpoint(
                note: read.string(0), keys: keys, atMilliseconds: read.int(1),
                isContradicted: read.int(2) != 0)
        }
    }

    private static let block = """
        SELECT header, body, device_signature, officer_signature, detached, proof FROM kenh_block WHERE seq = ?
        """

    /// Blocks in the order in which they were taken, as far as they are whole.
    /// - Returns: how many are not.
    func forEachBlock(
        isGood: (Block) -> Bool, _ body: (Block, EntryProof?) throws -> Void
    ) rethrows -> Int {
        var damaged = 0
        for number in file.numbers(of: "kenh_block", "seq") {
            // What a snapshot covers comes back with one.
            if file.line("SELECT length(body) FROM kenh_block WHERE seq = ?", number, { $0.int(0) }) == 0 { continue }
            let found = file.line(Self.block, number) { read -> (block: Block, proof: EntryProof?)? in
                let block = try Block(
                    headerBytes: read.array(0), body: read.array(1), deviceSignature: read.array(2),
                    officerSignature: read.array(3), detached: read.array(4))
                return (block, read.isNull(5) ? nil : EntryProof(stored: read.array(5)))
            }
            guard let found, isGood(found.block) else {
                damaged += 1
                continue
            }
            try body(found.block, found.proof)
        }
        return damaged
    }

    /// Changes that were captured and not sealed, oldest first, and how many cannot be read.
    func pending(schema: Schema) -> (changes: [Pending], damaged: Int) {
        let named = file.lines("SELECT number, name FROM kenh_table") { ($0.int(0), $0.string(1)) }
        let tables = Dictionary(named) { $1 }
        var changes: [Pending] = []
        var damaged = 0
        for number in file.numbers(of: "kenh_pending", "seq") {
            let change = file.line("SELECT * FROM kenh_pending WHERE seq = ?", number) { read in
                tables[read.int(1)].flatMap { schema.table($0) }.map { Self.pending(read, $0) }
            }
            if let change { changes.append(change) } else { damaged += 1 }
        }
        return (changes, damaged)
    }

    private static func pending(_ read: Statement, _ table: Table) -> Pending {
        let mask = UInt64(bitPattern: read.int(5))
        var values: [String: Value] = [:]
        for (number, column) in table.columns.enumerated() where mask >> UInt64(number) & 1 == 1 {
            values[column.name] = read.value(Int32(8 + number))
        }
        return Pending(
            table: table.name, kind: read.int(2), id: read.value(3), channel: read.value(4), at: read.int(6),
            officer: read.isNull(7) ? nil : read.string(7), values: values)
    }
}
