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
            "INSERT INTO registry_device(key, cell, name) VALUES(?, ?, ?)",
            [.blob(device.key.bytes), .text(device.cell), .text(device.name)])
    }

    func device(_ key: [UInt8]) throws -> RegisteredDevice? {
        try first("SELECT key, cell, name FROM registry_device WHERE key = ?", .blob(key)) { read in
            RegisteredDevice(key: try PublicKey(bytes: read.array(0)), cell: read.string(1), name: read.string(2))
        }
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
}
