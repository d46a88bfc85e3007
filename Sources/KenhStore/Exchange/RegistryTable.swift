import KenhMerge
import KenhProtocol

/// The centre's registry as this store has taken it in.
struct RegistryTable {
    let sql: StatementCache

    func record(_ facts: [RegistryFact]) throws(StoreError) {
        for fact in facts {
            switch fact {
            case .cell(let code, let name):
                try run("INSERT OR REPLACE INTO kenh_cell(code, name) VALUES(?, ?)", [.text(code), .text(name)])
            case .device(let key, let cell, let name):
                try run(
                    "INSERT OR REPLACE INTO kenh_device(key, cell, name) VALUES(?, ?, ?)",
                    [.blob(key.bytes), .text(cell), .text(name)])
            case .replica(let replica, let device):
                try run(
                    "INSERT OR IGNORE INTO kenh_replica(replica, device_key) VALUES(?, ?)",
                    [.blob(replica.bytes), .blob(device.bytes)])
            case .role(let role): try rightsTable.add(role)
            case .grant(let grant): try rightsTable.add(grant)
            }
        }
    }

    private var rightsTable: RightsTable { RightsTable(sql: sql, prefix: SystemTables.prefix) }

    /// The cell of a device; nil where the registry does not know it.
    func cell(of key: PublicKey) throws(StoreError) -> String? {
        let read = try sql("SELECT cell FROM kenh_device WHERE key = ?")
        defer { read.reset() }
        read.bind(1, copying: key.bytes)
        return try read.step() ? read.string(0) : nil
    }

    /// What may concern a cell.
    func rights(of cell: String) throws -> Rights {
        let grants = try rightsTable.grants(of: cell)
        // Without any nobody has a role, and none need be read.
        return grants.isEmpty ? Rights() : Rights(grants: grants, roles: try rightsTable.roles())
    }

    /// The statements themselves, for a centre that may lose them.
    func keep(_ statements: [Delivery.Statement]) throws {
        for statement in statements {
            try run(
                "INSERT OR REPLACE INTO kenh_statement(hash, sequence, proof, statement) VALUES(?, ?, ?, ?)",
                [
                    .blob(statement.proof.object.bytes), .integer(Int64(clamping: statement.proof.sequence)),
                    .blob(statement.proof.stored), .blob(try WireCoding.encode(statement.signed)),
                ])
        }
    }

    /// Kept statements above a sequence, in the log's order.
    func statements(after sequence: UInt64) throws -> [Delivery.Statement] {
        let read = try sql("SELECT proof, statement FROM kenh_statement WHERE sequence > ? ORDER BY sequence")
        defer { read.reset() }
        read.bind(1, Int64(clamping: sequence))
        var statements: [Delivery.Statement] = []
        while try read.step() {
            guard let proof = EntryProof(stored: read.array(0)) else { throw BranchIndex.damaged }
            statements.append(
                Delivery.Statement(
                    proof: proof, signed: try WireCoding.decode(WireSignedStatement.self, from: read.array(1))))
        }
        return statements
    }

    private func run(_ text: String, _ values: [Value]) throws(StoreError) {
        let statement = try sql(text)
        for (i, value) in values.enumerated() { statement.bind(Int32(i + 1), copying: value) }
        try statement.run()
    }

    /// Whose signature the blocks of a replica bear.
    func deviceKey(of replica: ReplicaID) throws -> PublicKey? {
        let read = try sql("SELECT device_key FROM kenh_replica WHERE replica = ?")
        defer { read.reset() }
        read.bind(1, copying: replica.bytes)
        return try read.step() ? try PublicKey(bytes: read.array(0)) : nil
    }

    /// The cell's code for people; the centre's own device has none.
    func author(of replica: ReplicaID) throws(StoreError) -> String {
        let read = try sql(
            """
            SELECT d.cell, d.name FROM kenh_replica r JOIN kenh_device d ON d.key = r.device_key WHERE r.replica = ?
            """)
        defer { read.reset() }
        read.bind(1, copying: replica.bytes)
        guard try read.step() else { return replica.description }
        let cell = read.string(0)
        return cell.isEmpty ? read.string(1) : cell
    }
}
