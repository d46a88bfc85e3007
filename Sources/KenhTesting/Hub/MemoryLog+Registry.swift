import KenhHub
import KenhMerge
import KenhProtocol

extension MemoryTransaction {
    func addCell(code: String, name: String) throws {
        guard state.cells[code] == nil else { throw refuse("there is a cell \(code)") }
        state.cells[code] = name
    }

    func cellName(_ code: String) -> String? { state.cells[code] }

    func addDevice(_ device: RegisteredDevice) throws {
        guard self.device(device.key.bytes) == nil else { throw refuse("the device is registered") }
        state.devices.append(
            RegisteredDevice(key: device.key, cell: device.cell, name: device.name, replaces: device.replaces))
    }

    func device(_ key: [UInt8]) -> RegisteredDevice? { state.devices.first { $0.key.bytes == key } }

    func devices() -> [RegisteredDevice] {
        state.devices.sorted { a, b in
            let (a, b) = (
                [Array(a.cell.utf8), Array(a.name.utf8), a.key.bytes],
                [Array(b.cell.utf8), Array(b.name.utf8), b.key.bytes]
            )
            return a.lexicographicallyPrecedes(b) { $0.lexicographicallyPrecedes($1) }
        }
    }

    func revoke(_ key: PublicKey, atMilliseconds: Int64) {
        guard let place = state.devices.firstIndex(where: { $0.key == key }) else { return }
        let device = state.devices[place]
        state.devices[place] = RegisteredDevice(
            key: key, cell: device.cell, name: device.name,
            revokedAtMilliseconds: device.revokedAtMilliseconds ?? atMilliseconds, replaces: device.replaces)
    }

    func addReplica(_ replica: ReplicaID, device: PublicKey) throws {
        guard state.replicas[replica] == nil else { throw refuse("the replica is registered") }
        state.replicas[replica] = device
    }

    func deviceKey(of replica: ReplicaID) -> PublicKey? { state.replicas[replica] }

    func addServingCertificate(_ signed: WireSignedStatement, notBeforeMilliseconds: Int64) {
        guard !state.certificates.contains(where: { $0.signed == signed }) else { return }
        state.certificates.append((signed, notBeforeMilliseconds))
    }

    func servingCertificates() -> [WireSignedStatement] {
        state.certificates.enumerated().sorted {
            ($0.element.notBefore, $0.offset) > ($1.element.notBefore, $1.offset)
        }.map(\.element.signed)
    }

    func addCode(_ id: [UInt8], _ code: IssuedCode) throws {
        guard state.codes[id] == nil else { throw refuse("the code was issued") }
        state.codes[id] = code
    }

    func code(_ id: [UInt8]) -> IssuedCode? { state.codes[id] }

    func markUsed(_ id: [UInt8], by key: [UInt8]) {
        guard let code = state.codes[id] else { return }
        state.codes[id] = IssuedCode(
            secret: code.secret, cell: code.cell, expiresAtMilliseconds: code.expiresAtMilliseconds, usedBy: key)
    }

    // MARK: rights

    func addRole(_ role: Role) {
        let known = state.roles.first { $0.name == role.name }
        if let known, known.statedAtMilliseconds > role.statedAtMilliseconds { return }
        state.roles.removeAll { $0.name == role.name }
        state.roles.append(role)
    }

    func roles() -> [Role] { state.roles.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } }

    func addGrant(_ grant: Grant) {
        let known = state.grants.first { $0.cell == grant.cell && $0.channel == grant.channel }
        if let known, known.statedAtMilliseconds > grant.statedAtMilliseconds { return }
        state.grants.removeAll { $0.cell == grant.cell && $0.channel == grant.channel }
        state.grants.append(grant)
    }

    func grants(of cell: String?) -> [Grant] {
        state.grants.filter { cell == nil || $0.cell == cell || $0.cell == Grant.everyCell }.sorted { a, b in
            let (a, b) = ([Array(a.channel.utf8), Array(a.cell.utf8)], [Array(b.channel.utf8), Array(b.cell.utf8)])
            return a.lexicographicallyPrecedes(b) { $0.lexicographicallyPrecedes($1) }
        }
    }

    // MARK: the quarantine

    func quarantine(_ block: QuarantinedBlock) {
        if !isQuarantined(block.hash) { state.quarantine.append(block) }
    }

    func quarantined(of writer: PublicKey?) -> [QuarantinedBlock] {
        state.quarantine.filter { writer == nil || $0.writer == writer }
    }

    func quarantinedBytes(of writer: PublicKey) -> Int {
        quarantined(of: writer).reduce(0) { $0 + $1.payload.count }
    }

    func isQuarantined(_ block: Hash256) -> Bool { state.quarantine.contains { $0.hash == block } }

    func leaveQuarantine(_ block: Hash256) { state.quarantine.removeAll { $0.hash == block } }
}
