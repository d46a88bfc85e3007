import ArgumentParser
import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore
import Logging
import ServiceLifecycle
import UnixSignals

struct Daemon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep a cell in step with its centre until told to stop (SIGTERM or Control-C).",
        discussion: """
            EXAMPLES
              kenh daemon --home ~/kenh
              kenh daemon --home ~/kenh --interval 60
              kenh daemon --home ~/kenh --no-wake

            While the cell is online it syncs within a moment of somebody's change: the centre wakes it over a connection that
            stays open. The schedule does not need that. --no-wake does without.
            """)

    @OptionGroup var home: HomeOptions
    @Option(help: ArgumentHelp("Seconds between syncs (900).", valueName: "seconds"))
    var interval: Int?
    @Flag(help: "Sync by the schedule alone.")
    var noWake = false

    func validate() throws {
        guard interval.map(Settings.intervalSeconds.contains) ?? true else {
            throw ValidationError("--interval is a number of seconds from 1 to a year's")
        }
    }

    func run() async throws {
        let home = try home.resolve()
        var flags: [String: String] = [:]
        flags["kenh.sync.interval"] = interval.map(String.init)
        if noWake { flags["kenh.sync.wake"] = "false" }
        let settings = try Settings(home: home, flags: flags)
        let wakes = try settings.wakes()
        let cancellation = Cancellation()
        let schedule = try settings.schedule()
        let cell = try CellHome(home, settings: settings, cancellation: cancellation)
        let logger = Log.make("kenh.cell")
        logger.info("syncing", metadata: ["cell": "\(cell.code)", "centre": "\(cell.url)"])
        let attachments = try CellAttachments(home, cell: cell, settings: settings)
        let worker = AttachmentWorker(cancellation: attachments.cancellation, logger: logger) { try attachments.sync() }
        let daemon = CellDaemon(
            schedule: schedule, cancellation: cancellation, wake: wakes ? cell.wake(logger) : nil, logger: logger,
            onSynced: { worker.wake() }
        ) { try cell.sync(confirms: true) }
        try await ServiceGroup(
            services: [daemon, worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        ).run()
    }
}

/// A joined cell with its store open and its way to the centre.
struct CellHome: Sendable {
    let store: Store
    let code: String
    let url: String
    private let home: Home
    private let transport: CurlTransport

    /// - Parameter store: the home's own where it is not given.
    init(
        _ home: Home, store: Store? = nil, settings: Settings, cancellation: Cancellation = Cancellation()
    ) throws {
        let store = try store ?? home.openStore()
        self.store = store
        guard try home.role(store) == .cell, let url = try settings.string("url") ?? store.fact("centre_url").string
        else {
            throw Failure(.configuration, "\(home.path) is the centre's home; give a cell's with --home")
        }
        self.url = url
        code = try store.fact("cell").string ?? "?"
        self.home = home
        transport = try CurlTransport(try settings.curl(baseURL: url), cancellation: cancellation)
        _ = try sync()
    }

    /// Of now: another process may have replaced this device's, and the centre may have replaced its own.
    func keys() throws -> (device: SigningKey, centre: PublicKey) {
        (try home.identity(store).key, try home.certificates(store).keys.current)
    }

    /// - Parameter transport: the cell's own where it is not given.
    func client(_ key: SigningKey, over transport: CurlTransport? = nil) throws -> CentreClient {
        CentreClient(
            transport: transport ?? self.transport, key: key,
            organisation: try home.certificates(store).root.organisationFingerprint, clock: Store.wallClock)
    }

    /// - Parameter confirms: whether to make the centre's snapshots again.
    func sync(confirms: Bool = false) throws -> CellSync {
        let (identity, known) = (try home.identity(store), try home.certificates(store))
        let client = try client(identity.key)
        var sync = CellSync(
            store: store, identity: identity, centre: known.keys,
            link: CentreLink(client: client, centre: known.keys.current))
        sync.confirmationFolder = confirms ? home.path : nil
        sync.renew = { [store] in
            guard let renewed = try client.renewed(known) else { return nil }
            try store.keep(renewed)
            return (renewed.keys, CentreLink(client: client, centre: renewed.keys.current))
        }
        return sync
    }

    func wake(_ logger: Logger) -> WakeFollower {
        WakeFollower(transport: transport, logger: logger) {
            let (key, centre) = try keys()
            return (try client(key), centre)
        }
    }
}
