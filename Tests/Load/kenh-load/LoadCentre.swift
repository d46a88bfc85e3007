import Foundation
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Logging
import ServiceLifecycle
import UnixSignals

/// A centre whose keys come from a seed, so that the process that serves and the one that makes the cells have the same.
struct LoadCentre {
    let folder: String
    let cells: Int
    private let hubIdentity: HubIdentity
    private let viewIdentity: StoreIdentity

    static let schema: Schema = {
        let item = Table("item", channel: .column("channel"), columns: [.text("title"), .integer("points")])
        do { return try Schema([Migration(1, [.table(item)])]) } catch { preconditionFailure("\(error)") }
    }()

    init(folder: String, cells: Int) throws {
        (self.folder, self.cells) = (folder, cells)
        var random = SeededGenerator(seed: 7)
        let (root, serving) = (try SigningKey(using: &random), try SigningKey(using: &random))
        let organisation = root.publicKey.organisationFingerprint
        let certificate = try ServingCertificate(
            organisation: organisation, servingKey: serving.publicKey, notBeforeMilliseconds: 0,
            notAfterMilliseconds: .max, name: "load"
        ).signed(by: root)
        hubIdentity = HubIdentity(rootKey: root.publicKey, certificate: certificate, servingKey: serving)
        viewIdentity = StoreIdentity(
            organisation: organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
    }

    var organisation: Hash256 { hubIdentity.organisation }
    var servingKey: PublicKey { hubIdentity.servingKey.publicKey }
    var storePath: String { folder + "/kenh.db" }
    var portPath: String { folder + "/port" }

    func hub() throws -> Hub {
        Hub(
            log: try SQLiteLog(path: folder + "/log.db", newEpoch: [UInt8](repeating: 1, count: 16)),
            identity: hubIdentity, clock: Store.wallClock)
    }

    func serve() async throws {
        let hub = try hub()
        let view = try CentreView(
            store: try Store(path: storePath, schema: Self.schema), hub: hub, identity: viewIdentity)
        var options = CentreServer.Options()
        options.port = 0
        var logger = Logger(label: "load")
        logger.logLevel = .error
        let portPath = portPath
        let server = CentreServer(hub: hub, view: view, options: options, logger: logger) { port in
            try? "\(port)\n".write(toFile: portPath, atomically: true, encoding: .utf8)
        }
        try await ServiceGroup(
            services: [server], gracefulShutdownSignals: [.sigterm], logger: logger
        ).run()
    }
}
