import Foundation
import KenhMerge
import KenhProtocol

/// Who wrote what, by the entries of a log: the text at the head of an audit file, and what a check of it states.
struct AuditIndex {
    /// Counters of one lane by one officer, in runs without gaps.
    private struct Line {
        var runs: [ClosedRange<UInt64>] = []
        var blocks = 0
        var changes = 0
        var firstAt = Int64.max
        var lastAt = Int64.min

        mutating func add(_ counters: ClosedRange<UInt64>, acceptedAt: Int64) {
            blocks += 1
            changes += counters.count
            firstAt = min(firstAt, acceptedAt)
            lastAt = max(lastAt, acceptedAt)
            if let last = runs.last, last.upperBound + 1 == counters.lowerBound {
                runs[runs.count - 1] = last.lowerBound...counters.upperBound
            } else {
                runs.append(counters)
            }
        }
    }

    private struct Key: Hashable, Comparable {
        let cell: String
        let device: String
        let replica: String
        let channel: String
        let officer: String

        static func < (a: Key, b: Key) -> Bool {
            (a.cell, a.channel, a.device, a.replica, a.officer) < (b.cell, b.channel, b.device, b.replica, b.officer)
        }
    }

    private var lines: [Key: Line] = [:]
    private var cells: [String: String] = [:]
    private var devices: [PublicKey: (cell: String, name: String)] = [:]
    private var replicas: [ReplicaID: PublicKey] = [:]
    private var restarts: [String] = []
    private var revocations: [String] = []
    private var newKeys: [String] = []
    private var grants: [String] = []
    private var rulings: [String] = []
    private var erasures: [String] = []
    private var deletions: [String] = []
    /// By the statements so far.
    private(set) var rights = Rights()
    private(set) var entries: UInt64 = 0
    private(set) var blocks = 0
    private(set) var changes = 0

    /// The key whose signature the blocks of a replica bear.
    func key(of replica: ReplicaID) -> PublicKey? { replicas[replica] }

    /// For people: `CB3, “laptop”`.
    func author(of replica: ReplicaID) -> String {
        guard let device = replicas[replica].flatMap({ devices[$0] }) else { return "replica \(replica)" }
        return device.cell.isEmpty ? "the centre" : device.cell
    }

    /// Whose blocks a replica's are; empty for the centre's own, nil where the registry does not say.
    func cell(of replica: ReplicaID) -> String? { replicas[replica].flatMap { devices[$0]?.cell } }

    mutating func add(_ ruling: Ruling, on header: BlockHeader) {
        rulings.append(
            "\(ruling.struck.count) of the changes \(header.firstCounter) to \(header.lastCounter) of "
                + "\(author(of: header.replica)) in \(header.channel): \(Self.oneLine(ruling.message))")
    }

    mutating func add(_ erasure: Erasure, in channel: String, acceptedAt: Int64) {
        erasures.append(
            "\(erasure.names.count) values of \(erasure.blocks.count) blocks in \(channel) on \(Self.time(acceptedAt)): "
                + Self.oneLine(erasure.reason))
    }

    mutating func add(_ finality: Finality, in channel: String, acceptedAt: Int64) {
        deletions.append(
            "\(finality.count) writes of \(finality.blocks.count) blocks in \(channel) on \(Self.time(acceptedAt))")
    }

    mutating func add(_ header: BlockHeader, acceptedAt: Int64) {
        let device = replicas[header.replica].flatMap { devices[$0] }
        let key = Key(
            cell: device?.cell ?? "?", device: device?.name ?? "?", replica: header.replica.description,
            channel: header.channel, officer: header.officer)
        lines[key, default: Line()].add(header.firstCounter...header.lastCounter, acceptedAt: acceptedAt)
        blocks += 1
        changes += Int(header.count)
    }

    mutating func add(_ statement: WireRegistryStatement, acceptedAt: Int64) {
        switch statement.what {
        case .cellAdded(let cell): cells[cell.code] = cell.name
        case .deviceAdded(let device):
            guard let key = try? PublicKey(bytes: device.key) else { return }
            devices[key] = (device.cell, device.name)
            if !device.replaces.isEmpty {
                newKeys.append(
                    "“\(Self.oneLine(device.name))” of \(device.cell) on \(Self.time(acceptedAt)): "
                        + "\(key.bytes.hex.prefix(16))")
            }
        case .replicaAdded(let added):
            guard let replica = ReplicaID(bytes: added.replica), let key = try? PublicKey(bytes: added.deviceKey) else {
                return
            }
            if replicas[replica] == nil { replicas[replica] = key }
        case .deviceRevoked(let revoked):
            guard let key = try? PublicKey(bytes: revoked.key), let device = devices[key] else { return }
            revocations.append(
                "“\(Self.oneLine(device.name))” of \(device.cell) on \(Self.time(acceptedAt)): \(Self.oneLine(revoked.reason))"
            )
        case .epochOpened(let opened):
            restarts.append("after entry \(opened.treeSize), on \(Self.time(acceptedAt))")
        case .roleDefined(let wire):
            guard let role = try? Role(wire, statedAtMilliseconds: acceptedAt) else { return }
            rights.add(role)
            let tables = role.rights.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            grants.append("the role \(role.name) on \(Self.time(acceptedAt)): \(tables.joined(separator: ", "))")
        case .granted(let wire):
            guard let grant = try? Grant(wire, statedAtMilliseconds: acceptedAt) else { return }
            rights.add(grant)
            grants.append(
                "\(grant.cell == Grant.everyCell ? "every cell" : Self.oneLine(grant.cell)) is \(grant.role) in "
                    + "\(grant.channel) from \(Self.time(acceptedAt)) on")
        case .servingKeyAdded(let added):
            guard let certificate = try? ServingCertificate(unverified: added.certificate) else { return }
            newKeys.append(
                "the centre on \(Self.time(acceptedAt)): \(certificate.servingKey.bytes.hex.prefix(16))")
        case nil: break
        }
    }

    mutating func countEntry() { entries += 1 }

    // MARK: text

    func text(organisation: Hash256, name: String, root: Hash256) -> String {
        var text = """
            organisation \(organisation.bytes.hex)
            name         \(Self.oneLine(name))
            log          \(entries) entries, root \(Base64.encode(root.bytes))
            blocks       \(blocks) with \(changes) changes by \(Set(lines.keys.map(\.cell)).count) cells

            """
        for restart in restarts { text += "restored     \(restart)\n" }
        for revocation in revocations { text += "revoked      \(revocation)\n" }
        for key in newKeys { text += "new key      \(key)\n" }
        for grant in grants { text += "granted      \(grant)\n" }
        for ruling in rulings { text += "struck       \(ruling)\n" }
        for erasure in erasures { text += "erased       \(erasure)\n" }
        for deletion in deletions { text += "deleted      \(deletion)\n" }
        for (code, cell) in cells.sorted(by: { $0.key < $1.key }) {
            text += "cell         \(code): \(Self.oneLine(cell))\n"
        }
        text += "\n"
        for (key, line) in lines.sorted(by: { $0.key < $1.key }) { text += Self.line(key, line) }
        return text
    }

    private static func line(_ key: Key, _ line: Line) -> String {
        let runs = line.runs.map { "\($0.lowerBound)–\($0.upperBound)" }.joined(separator: ", ")
        let cell = key.cell.isEmpty ? "centre" : key.cell
        let officer = key.officer.isEmpty ? "nobody signed in" : key.officer
        return "\(oneLine(cell)) · \(oneLine(officer)) · \(key.channel): changes \(runs) (\(line.changes) in "
            + "\(line.blocks) blocks, \(time(line.firstAt)) to \(time(line.lastAt)), on “\(oneLine(key.device))”, "
            + "replica \(key.replica))\n"
    }

    private static func time(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds / 1000)).formatted(.iso8601)
    }

    /// Names are people's: none of them may look like another line.
    private static func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }
}
