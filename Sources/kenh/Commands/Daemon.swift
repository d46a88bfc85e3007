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
            """)

    @OptionGroup var home: HomeOptions
    @Option(help: ArgumentHelp("Seconds between syncs (900).", valueName: "seconds"))
    var interval: Int?

    func validate() throws {
        guard interval.map(Settings.intervalSeconds.contains) ?? true else {
            throw ValidationError("--interval is a number of seconds from 1 to a year's")
        }
    }

    func run() async throws {
        let home = try home.resolve()
        var flags: [String: String] = [:]
        flags["kenh.sync.interval"] = interval.map(String.init)
        let settings = try Settings(home: home, flags: flags)
        let cancellation = Cancellation()
        let schedule = try settings.schedule()
        let cell = try CellHome(home, settings: settings, cancellation: cancellation)
        let logger = Log.make("kenh.cell")
        logger.info("syncing", metadata: ["cell": "\(cell.code)", "centre": "\(cell.url)"])
        let attachments = try CellAttachments(home, cell: cell, settings: settings)
        let worker = AttachmentWorker(cancellation: attachments.cancellation, logger: logger) { attachments.sync() }
        let daemon = CellDaemon(
            schedule: schedule, cancellation: cancellation, logger: logger, onSynced: { worker.wake() }
        ) {
            cell.sync()
        }
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
    let identity: StoreIdentity
    private let link: CentreLink
    let centre: PublicKey

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
        identity = try home.identity(store)
        centre = try home.servingKey(store)
        let transport = try CurlTransport(try settings.curl(baseURL: url), cancellation: cancellation)
        let client = CentreClient(
            transport: transport, key: identity.key, organisation: identity.organisation, clock: Store.wallClock)
        link = CentreLink(client: client, centre: centre)
    }

    func sync() -> CellSync { CellSync(store: store, identity: identity, centre: centre, link: link) }
}
