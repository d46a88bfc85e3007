import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// A centre without its network, and devices that have joined it.
final class HubFixture {
    static let start: Int64 = 1_760_000_000_000

    let directory: URL
    let clock = ManualClock(milliseconds: HubFixture.start)
    let root: SigningKey
    let serving: SigningKey
    /// What SQLite answers is compared with the model, until another file is taken.
    private(set) var log: any HubLog
    private(set) var hub: Hub
    private(set) var devices: [DeviceFixture] = []
    private var random = SeededGenerator(seed: 1)

    static let schema: Schema = {
        let note = Table("note", channel: .constant("org"), columns: [.text("title"), .text("secret", erasable: true)])
        let task = Table("task", channel: .column("channel"), columns: [.text("title"), .integer("points")])
        do { return try Schema([Migration(1, [.table(note), .table(task)])]) } catch { preconditionFailure("\(error)") }
    }()

    /// - Parameter cells: each with one device of the same name.
    init(_ cells: [String] = ["A", "B"]) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "kenh-hub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        root = try SigningKey(using: &random)
        serving = try SigningKey(using: &random)
        let certificate = ServingCertificate(
            organisation: root.publicKey.organisationFingerprint, servingKey: serving.publicKey,
            notBeforeMilliseconds: 0, notAfterMilliseconds: .max, name: "Test")
        log = try PairedLog(
            SQLiteLog(path: directory.appending(path: "log.db").path, newEpoch: [UInt8](repeating: 7, count: 16)))
        let identity = HubIdentity(
            rootKey: root.publicKey, certificate: try certificate.signed(by: root), servingKey: serving)
        hub = Hub(log: log, identity: identity, clock: { [clock] in clock.milliseconds })
        for cell in cells {
            try hub.addCell(code: cell, name: "Cell \(cell)")
            devices.append(try device(cell))
            try enrol(devices[devices.count - 1], code: hub.issueCode(cell: cell))
        }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    subscript(_ name: String) -> DeviceFixture {
        guard let device = devices.first(where: { $0.name == name }) else { preconditionFailure("no device \(name)") }
        return device
    }

    var organisation: Hash256 { root.publicKey.organisationFingerprint }

    // MARK: backups

    private var logPath: URL { directory.appending(path: "log.db") }
    private var backup: URL { directory.appending(path: "log.backup") }

    func backUpLog() throws {
        try? FileManager.default.removeItem(at: backup)
        try FileManager.default.copyItem(at: logPath, to: backup)
    }

    /// Nobody announces it.
    func restoreLog(archives: ArchiveShelf? = nil) throws {
        let old = directory.appending(path: "old-\(UUID().uuidString).db")
        try FileManager.default.copyItem(at: backup, to: old)
        try use(log: old.path, archives: archives)
    }

    func use(log path: String, archives: ArchiveShelf? = nil) throws {
        log = try SQLiteLog(path: path, newEpoch: [UInt8](repeating: 8, count: 16), archives: archives)
        hub = Hub(log: log, identity: hub.identity, clock: { [clock] in clock.milliseconds })
    }

    func use(_ hub: Hub) { self.hub = hub }

    func acceptance(of block: Block) throws -> EntryProof? { try log.read { try $0.acceptance(of: block.hash) } }

    var epoch: [UInt8] { get throws { try log.read { try $0.epoch } } }

    /// A device that nobody has heard of.
    func device(_ name: String) throws -> DeviceFixture {
        let identity = StoreIdentity(
            organisation: organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
        let store = try Store(
            path: directory.appending(path: "\(name)-\(identity.replica).db").path, schema: Self.schema,
            clock: { [clock] in clock.milliseconds })
        return DeviceFixture(name: name, store: store, identity: identity, fixture: self)
    }

    func request(_ device: DeviceFixture, code: EnrolmentCode) throws -> WireEnrollRequest {
        let (key, replica) = (device.identity.key, device.identity.replica)
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = device.name
        request.proof = Data(code.proof(organisation: organisation, deviceKey: key.publicKey, replica: replica))
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        return request
    }

    @discardableResult
    func enrol(_ device: DeviceFixture, code: EnrolmentCode) throws -> WireEnrollResponse {
        try hub.enroll(request(device, code: code))
    }

    func view() throws -> CentreView {
        let device = try device("centre")
        centre = device.identity
        return try CentreView(store: device.store, hub: hub, identity: device.identity)
    }

    private var centre: StoreIdentity?

    /// Of the view that was made last.
    func centreIdentity() throws -> StoreIdentity { try #require(centre) }

    var heads: [LogHead] { get throws { try log.read { try $0.heads() } } }

    /// How many blocks the log has.
    var blockCount: Int {
        get throws {
            try log.read { transaction in
                try transaction.heads().filter { $0.channel != ChannelName.registry }.reduce(0) {
                    $0 + Int($1.sequence)
                }
            }
        }
    }

    /// All entries, as a device without any cursor gets them.
    func entries(for device: DeviceFixture, withOwn: Bool = true) throws -> WireSyncResponse {
        var request = device.request()
        request.withOwnBlocks = withOwn
        return try hub.sync(request, from: device.registered)
    }
}
