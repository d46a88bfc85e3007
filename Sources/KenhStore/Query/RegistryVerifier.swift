import KenhMerge
import KenhProtocol

/// Compares who is who with what the centre's statements say.
struct RegistryVerifier {
    let core: StoreCore

    func run(_ report: inout VerifyReport) throws {
        let statements: [Delivery.Statement]
        do { statements = try RegistryTable(sql: core.sql).statements(after: 0) } catch {
            return report.add("the registry's statements are damaged")
        }
        // Who has heard of nobody by the centre's own word has nothing to compare with.
        guard !statements.isEmpty else { return }
        var expected: Set<String> = []
        // What came back after a restore may be older than what was stated since.
        var last: [String: (line: String, statedAt: Int64)] = [:]
        for statement in statements {
            guard statement.proof.object == Hashing.sha256(domain: .registry, Array(statement.signed.statement)) else {
                report.add("a statement of the registry is not the one that the centre signed")
                continue
            }
            for fact in try LogFollower.facts(of: statement) {
                let (key, line, statedAt) = Self.line(fact)
                if let known = last[key], known.statedAt > statedAt { continue }
                last[key] = (line, statedAt)
            }
        }
        expected.formUnion(last.values.map(\.line))
        let found = try lines()
        for line in expected.symmetricDifference(found).sorted() {
            report.add("the registry \(found.contains(line) ? "has" : "lacks") \(line), other than the centre said")
        }
    }

    private static func line(_ fact: RegistryFact) -> (key: String, line: String, statedAt: Int64) {
        switch fact {
        case .cell(let code, let name): ("c \(code)", "the cell \(code) “\(name)”", 0)
        case .device(let key, let cell, let name):
            ("d \(key.bytes.hex)", "the device \(key.bytes.hex) “\(name)” of \(cell)", 0)
        case .replica(let replica, let key):
            ("r \(replica.bytes.hex)", "the replica \(replica.bytes.hex) of \(key.bytes.hex)", 0)
        case .role(let role): ("o \(role.name)", line(role.name, role.encoded), role.statedAtMilliseconds)
        case .grant(let grant):
            (
                "g \(grant.cell) \(grant.channel)", line(grant.cell, grant.channel, grant.role),
                grant.statedAtMilliseconds
            )
        }
    }

    private static func line(_ role: String, _ definition: [UInt8]) -> String {
        "the role \(role) with the rights \(definition.hex)"
    }

    private static func line(_ cell: String, _ channel: String, _ role: String) -> String {
        "the role \(role) of \(cell) in \(channel)"
    }

    private func lines() throws -> Set<String> {
        var lines: Set<String> = []
        let cells = try core.sql("SELECT code, name FROM kenh_cell")
        while try cells.step() { lines.insert("the cell \(cells.string(0)) “\(cells.string(1))”") }
        let devices = try core.sql("SELECT key, name, cell FROM kenh_device")
        while try devices.step() {
            lines.insert("the device \(devices.array(0).hex) “\(devices.string(1))” of \(devices.string(2))")
        }
        let replicas = try core.sql("SELECT replica, device_key FROM kenh_replica")
        while try replicas.step() {
            lines.insert("the replica \(replicas.array(0).hex) of \(replicas.array(1).hex)")
        }
        let roles = try core.sql("SELECT name, definition FROM kenh_role")
        while try roles.step() { lines.insert(Self.line(roles.string(0), roles.array(1))) }
        let grants = try core.sql("SELECT cell, channel, role FROM kenh_grant")
        while try grants.step() { lines.insert(Self.line(grants.string(0), grants.string(1), grants.string(2))) }
        return lines
    }
}
