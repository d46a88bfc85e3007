import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhStore

/// The folder that holds a cell's or the centre's files.
///
/// | file | what |
/// |---|---|
/// | `kenh.db` | the tables, which any SQLite tool may write |
/// | `device.key` | this device's key |
/// | `attachments/` | a cell's attachments |
/// | `blobs/` | the centre's attachments, and their index |
/// | `log.db` | the centre's log and registry |
/// | `keys/root.key` | the organisation's root key, to be taken off line |
/// | `keys/serving.key` | the key that signs the centre's answers |
/// | `kenh.yaml` | settings, where there are any |
struct Home {
    enum Role: String { case cell, centre }

    let path: String

    var storePath: String { path + "/kenh.db" }
    var logPath: String { path + "/log.db" }
    var deviceKeyPath: String { path + "/device.key" }
    var rootKeyPath: String { path + "/keys/root.key" }
    var servingKeyPath: String { path + "/keys/serving.key" }
    var settingsPath: String { path + "/kenh.yaml" }

    func makeFolder(_ name: String = "") throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path + "/" + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                .disk, "the folder \(path) cannot be made; check its path, its permissions and the disk's free space")
        }
    }

    /// Whether there is a store that has been made for good.
    func hasRole() throws -> Bool {
        guard FileManager.default.fileExists(atPath: storePath) else { return false }
        return try openStore().fact("role").string != nil
    }

    func openStore() throws -> Store {
        try Store(path: storePath, schema: Programme.schema, mustExist: true)
    }

    func role(_ store: Store) throws -> Role {
        guard let name = try store.fact("role").string, let role = Role(rawValue: name) else {
            throw CellError(
                .notJoined, "the store at \(path) has not joined an organisation; run kenh join URL",
                recovery: .askAPerson)
        }
        return role
    }

    func identity(_ store: Store) throws -> StoreIdentity {
        _ = try role(store)
        guard case .blob(let id) = try store.fact("replica"), let replica = ReplicaID(bytes: id) else {
            throw unknownSelf
        }
        return StoreIdentity(
            organisation: try certificate(store).organisation, replica: replica,
            key: try SecretFile.read(deviceKeyPath))
    }

    private var unknownSelf: Failure {
        Failure(
            .badData,
            "the store at \(path) does not know who it is, or that was damaged; restore a backup, or join again")
    }

    /// The root key signed the serving key: where either was damaged, this shows it.
    private func certificate(_ store: Store) throws -> ServingCertificate {
        guard case .blob(let root) = try store.fact("root_key"), case .blob(let key) = try store.fact("serving_key"),
            case .blob(let bytes) = try store.fact("serving_certificate"), let rootKey = try? PublicKey(bytes: root),
            let wire = try? WireCoding.decode(WireSignedStatement.self, from: bytes),
            let certificate = try? ServingCertificate(wire, root: rootKey), certificate.servingKey.bytes == key
        else { throw unknownSelf }
        return certificate
    }

    func servingKey(_ store: Store) throws -> PublicKey { try certificate(store).servingKey }

    func hub(_ store: Store) throws -> Hub {
        let identity = try hubIdentity(store)
        return Hub(
            log: try SQLiteLog(path: logPath, newEpoch: Self.newEpoch()), identity: identity, clock: Store.wallClock)
    }

    func hubIdentity(_ store: Store) throws -> HubIdentity {
        guard case .blob(let root) = try store.fact("root_key"),
            case .blob(let certificate) = try store.fact("serving_certificate")
        else { throw Failure(.configuration, "there is no centre at \(path); make one with kenh central init") }
        let key = try SecretFile.read(servingKeyPath)
        guard try self.certificate(store).servingKey == key.publicKey else { throw unknownSelf }
        return HubIdentity(
            rootKey: try PublicKey(bytes: root),
            certificate: try WireCoding.decode(WireSignedStatement.self, from: certificate), servingKey: key)
    }

    static func newEpoch() -> [UInt8] {
        var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
        return random.next().bigEndianBytes + random.next().bigEndianBytes
    }

    /// The centre's store, hub and view, refused where this is a cell's home.
    func openCentre() throws -> (store: Store, hub: Hub, view: CentreView) {
        let store = try openStore()
        guard try role(store) == .centre else {
            throw Failure(.configuration, "\(path) is a cell's home; give the centre's with --home")
        }
        let hub = try hub(store)
        return (store, hub, try CentreView(store: store, hub: hub, identity: try identity(store)))
    }
}
