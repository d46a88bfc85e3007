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
/// | `archives/` | files with the bodies of the log's old blocks |
/// | `snapshots/` | what new devices begin a channel with; can be made again |
/// | `keys/root.key` | the organisation's root key, to be taken off line |
/// | `keys/serving.key` | the key that signs the centre's answers; `….next` while it is being replaced |
/// | `lock` | held while a centre serves |
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
            organisation: try certificates(store).root.organisationFingerprint, replica: replica,
            key: try SecretFile.current(deviceKeyPath, is: try store.deviceKey()))
    }

    private var unknownSelf: Failure {
        Failure(
            .badData,
            "the store at \(path) does not know who it is, or that was damaged; restore a backup, or join again")
    }

    /// The root key signed the serving key: where either was damaged, this shows it.
    func certificates(_ store: Store) throws -> ServingCertificates {
        guard let certificates = try store.centreCertificates() else { throw unknownSelf }
        return certificates
    }

    func hub(_ store: Store) throws -> Hub {
        let hub = Hub(
            log: try log(at: logPath), identity: try hubIdentity(store),
            clock: Store.wallClock, readIdentity: { try hubIdentity(store) })
        try hub.stateServingKey()
        hub.offerSnapshots(from: SnapshotShelf(folder: URL(filePath: path + "/snapshots")))
        return hub
    }

    /// Of all its files together.
    var byteCount: Int {
        let files = FileManager.default.enumerator(
            at: URL(filePath: path), includingPropertiesForKeys: [.fileSizeKey])
        return (files?.allObjects as? [URL] ?? []).reduce(0) { sum, file in
            sum + ((try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0)
        }
    }

    var archives: ArchiveShelf { ArchiveShelf(archiveFolder) }
    var archiveFolder: URL { URL(filePath: path + "/archives") }

    /// - Parameter archives: where old blocks are; the home's own folder where not said.
    func log(at path: String, archives: ArchiveShelf? = nil) throws -> SQLiteLog {
        try SQLiteLog(path: path, newEpoch: Self.newEpoch(), archives: archives ?? self.archives)
    }

    func hubIdentity(_ store: Store) throws -> HubIdentity {
        guard try store.fact("root_key") != .null else {
            throw Failure(.configuration, "there is no centre at \(path); make one with kenh central init")
        }
        let certificates = try certificates(store)
        let key = try SecretFile.current(servingKeyPath, is: certificates.newest.servingKey)
        guard let identity = HubIdentity(certificates, servingKey: key) else { throw unknownSelf }
        return identity
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
