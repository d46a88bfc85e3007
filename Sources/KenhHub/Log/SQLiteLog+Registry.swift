import KenhMerge
import KenhProtocol
import KenhStore

extension SQLiteLogTransaction {
    private func run(_ text: String, _ values: [Value]) throws {
        let statement = try sql(text)
        for (i, value) in values.enumerated() { statement.bind(Int32(i + 1), copying: value) }
        try statement.run()
    }

    private func first<T>(_ text: String, _ key: Value, _ get: (Statement) throws -> T) throws -> T? {
        let read = try sql(text)
        defer { read.reset() }
        read.bind(1, copying: key)
        return try read.step() ? try get(read) : nil
    }

    func addCell(code: String, name: String) throws {
        try run("INSERT INTO registry_cell(code, name) VALUES(?, ?)", [.text(code), .text(name)])
    }

    func cellName(_ code: String) throws -> String? {
        try first("SELECT name FROM registry_cell WHERE code = ?", .text(code)) { $0.string(0) }
    }

    func addDevice(_ device: RegisteredDevice) throws {
        try run(
            "INSERT INTO registry_device(key, cell, name, replaces) VALUES(?, ?, ?, ?)",
            [
                .blob(device.key.bytes), .text(device.cell), .text(device.name),
                device.replaces.map { .blob($0.bytes) } ?? .null,
            ])
    }

    func device(_ key: [UInt8]) throws -> RegisteredDevice? {
        try first("SELECT \(Self.deviceColumns) WHERE key = ?", .blob(key), Self.device)
    }

    func devices() throws -> [RegisteredDevice] {
        let read = try sql("SELECT \(Self.deviceColumns) ORDER BY cell, name, key")
        defer { read.reset() }
        var devices: [RegisteredDevice] = []
        while try read.step() { devices.append(try Self.device(read)) }
        return devices
    }

    private static let deviceColumns = "key, cell, name, revoked_at, replaces FROM registry_device"

    private static func device(_ read: Statement) throws -> RegisteredDevice {
        RegisteredDevice(
            key: try PublicKey(bytes: read.array(0)), cell: read.string(1), name: read.string(2),
            revokedAtMilliseconds: read.isNull(3) ? nil : read.int(3),
            replaces: read.isNull(4) ? nil : try PublicKey(bytes: read.array(4)))
    }

    func revoke(_ key: PublicKey, atMilliseconds: Int64) throws {
        try run(
            "UPDATE registry_device SET revoked_at = coalesce(revoked_at, ?2) WHERE key = ?1",
            [.blob(key.bytes), .integer(atMilliseconds)])
    }

    func addReplica(_ replica: ReplicaID, device: PublicKey) throws {
        try run(
            "INSERT INTO registry_replica(replica, device_key) VALUES(?, ?)",
            [.blob(replica.bytes), .blob(device.bytes)])
    }

    func deviceKey(of replica: ReplicaID) throws -> PublicKey? {
        try first("SELECT device_key FROM registry_replica WHERE replica = ?", .blob(replica.bytes)) {
            try PublicKey(bytes: $0.array(0))
        }
    }

    func addServingCertificate(_ signed: WireSignedStatement, notBeforeMilliseconds: Int64) throws {
        try run(
            "INSERT OR IGNORE INTO registry_key(certificate, not_before) VALUES(?, ?)",
            [.blob(try WireCoding.encode(signed)), .integer(notBeforeMilliseconds)])
    }

    func servingCertificates() throws -> [WireSignedStatement] {
        let read = try sql("SELECT certificate FROM registry_key ORDER BY not_before DESC, number DESC")
        defer { read.reset() }
        var certificates: [WireSignedStatement] = []
        while try read.step() {
            certificates.append(try WireCoding.decode(WireSignedStatement.self, from: read.array(0)))
        }
        return certificates
    }

    func addCode(_ id: [UInt8], _ code: IssuedCode) throws {
        try run(
            "INSERT INTO registry_code(id, secret, cell, expires_at, used_by) VALUES(?, ?, ?, ?, ?)",
            [
                .blob(id), .blob(code.secret), .text(code.cell), .integer(code.expiresAtMilliseconds),
                code.usedBy.map { .blob($0) } ?? .null,
            ])
    }

    func code(_ id: [UInt8]) throws -> IssuedCode? {
        try first("SELECT secret, cell, expires_at, used_by FROM registry_code WHERE id = ?", .blob(id)) { read in
            IssuedCode(
                secret: read.array(0), cell: read.string(1), expiresAtMilliseconds: read.int(2),
                usedBy: read.isNull(3) ? nil : read.array(3))
        }
    }

    func markUsed(_ id: [UInt8], by key: [UInt8]) throws {
        try run("UPDATE registry_code SET used_by = ?2 WHERE id = ?1", [.blob(id), .blob(key)])
    }

    // MARK: rights

    private var rightsTable: RightsTable { RightsTable(sql: sql, prefix: SQLiteLog.registryPrefix) }

    func addRole(_ role: Role) throws { try rightsTable.add(role) }

    func roles() throws -> [Role] { try rightsTable.roles() }

    func addGrant(_ grant: Grant) throws { try rightsTable.add(grant) }

    func grants(of cell: String?) throws -> [Grant] { try rightsTable.grants(of: cell) }

    // MARK: the quarantine

    func quarantine(_ block: QuarantinedBlock) throws {
        try run(
            """
            INSERT INTO quarantine(hash, writer, sender, received_at, payload) VALUES(?, ?, ?, ?, ?)
            ON CONFLICT(hash) DO NOTHING
            """,
            [
                .blob(block.hash.bytes), .blob(block.writer.bytes), .blob(block.sender),
                .integer(block.receivedAtMilliseconds), .blob(block.payload),
            ])
    }

    func quarantined(of writer: PublicKey?) throws -> [QuarantinedBlock] {
        let read = try sql(
            """
            SELECT hash, writer, sender, received_at, payload FROM quarantine WHERE ?1 IS NULL OR writer = ?1
            ORDER BY number
            """)
        defer { read.reset() }
        read.bind(1, copying: writer.map { .blob($0.bytes) } ?? .null)
        var blocks: [QuarantinedBlock] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw damaged }
            blocks.append(
                QuarantinedBlock(
                    hash: hash, writer: try PublicKey(bytes: read.array(1)), sender: read.array(2),
                    receivedAtMilliseconds: read.int(3), payload: read.array(4)))
        }
        return blocks
    }

    func quarantinedBytes(of writer: PublicKey) throws -> Int {
        try first("SELECT coalesce(sum(length(payload)), 0) FROM quarantine WHERE writer = ?", .blob(writer.bytes)) {
            Int($0.int(0))
        } ?? 0
    }

    func isQuarantined(_ block: Hash256) throws -> Bool {
        try first("SELECT 1 FROM quarantine WHERE hash = ?", .blob(block.bytes)) { _ in true } ?? false
    }

    func leaveQuarantine(_ block: Hash256) throws {
        try run("DELETE FROM quarantine WHERE hash = ?", [.blob(block.bytes)])
    }
}
