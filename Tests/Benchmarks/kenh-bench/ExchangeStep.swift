import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import Logging

/// Step X: one centre and one cell over loopback HTTP, all inserts from the cell's table to the centre's merged table
/// (``Step/exchangeUp``), sealing included; then to a second cell (``Step/exchangeDown``); then one change after another
/// (``Step/oneChange``). The requests are signed and checked as always; centre and cells share the process and its two
/// cores.
struct ExchangeStep {
    /// The inserts.
    let base: ItemRows
    /// What single changes write.
    let updates: ItemRows
    /// An empty folder of this run's own, removed after it.
    let folder: String

    /// - Returns: one sample for each direction; values in rows a second.
    func run() async throws -> [Sample] {
        let centre = try BenchCentre(folder: folder)
        return try await centre.serving { try samples(centre, port: $0) }
    }

    private func samples(_ centre: BenchCentre, port: Int) throws -> [Sample] {
        let writer = try BenchCell(folder + "/writer.db", centre: centre, port: port)
        let reader = try BenchCell(folder + "/reader.db", centre: centre, port: port)
        try ItemTable(database: try RawDatabase(writer.store.path)).insert(base)
        let up = try Sample(.exchangeUp, rows: base.count) {
            try writer.sync()
            try centre.view.catchUp()
        }
        try Verification.sameRows(writer.store.path, centre.view.store.path)
        let down = try Sample(.exchangeDown, rows: base.count) { try reader.sync() }
        try Verification.sameRows(reader.store.path, writer.store.path)
        return [up, down, try oneChange(writer, centre)]
    }

    private static let changeCount = 50

    /// Single changes over a kept connection: from before the commit until the centre's table shows the value. Also the
    /// median, since one slow write of the disk says nothing.
    private func oneChange(_ writer: BenchCell, _ centre: BenchCentre) throws -> Sample {
        let own = ItemTable(database: try RawDatabase(writer.store.path))
        let shown = ItemTable(database: try RawDatabase(centre.view.store.path))
        let (start, cpu) = (Sample.wallSeconds, Sample.cpuSeconds)
        let milliseconds = try (0..<Self.changeCount).map { k in
            let row = ItemWorkload.updatedRow(k, of: updates.count)
            let before = Sample.wallSeconds
            try own.update(row: row, of: updates)
            try writer.sync()
            try centre.view.catchUp()
            let note = try shown.note(row: row, of: updates)
            let after = Sample.wallSeconds
            try WrongResult.check(note == updates.text(.note, row), "the centre shows \(note)")
            return (after - before) * 1000
        }
        return Sample(
            .oneChange, value: Summary.median(milliseconds), wallSeconds: Sample.wallSeconds - start,
            cpuSeconds: Sample.cpuSeconds - cpu)
    }
}

/// A centre with its keys in memory.
struct BenchCentre {
    let hub: Hub
    let view: CentreView
    let log: SQLiteLog

    init(folder: String) throws {
        var random = SystemRandomNumberGenerator()
        let root = try SigningKey(using: &random)
        let serving = try SigningKey(using: &random)
        let organisation = root.publicKey.organisationFingerprint
        let certificate = try ServingCertificate(
            organisation: organisation, servingKey: serving.publicKey, notBeforeMilliseconds: 0,
            notAfterMilliseconds: .max, name: "bench"
        ).signed(by: root)
        log = try SQLiteLog(path: folder + "/log.db", newEpoch: [UInt8](repeating: 1, count: 16))
        hub = Hub(
            log: log,
            identity: HubIdentity(rootKey: root.publicKey, certificate: certificate, servingKey: serving),
            clock: Store.wallClock)
        let identity = StoreIdentity(
            organisation: organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
        view = try CentreView(
            store: try Store(path: folder + "/centre.db", schema: try ItemTable.schema()), hub: hub, identity: identity)
        try hub.addCell(code: "BENCH", name: "bench")
    }

    /// Serves on a free port while `body` runs.
    func serving<T>(_ body: (_ port: Int) async throws -> T) async throws -> T {
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        var options = CentreServer.Options()
        options.port = 0
        var logger = Logger(label: "bench")
        logger.logLevel = .critical
        let server = CentreServer(hub: hub, view: view, options: options, logger: logger) { feed.yield($0) }
        let serving = Task { try await server.run() }
        defer { serving.cancel() }
        guard let port = await ports.first(where: { _ in true }) else {
            throw WrongResult(description: "the centre does not serve")
        }
        return try await body(port)
    }
}

/// A cell that joined over HTTP.
struct BenchCell {
    let store: Store
    private let cell: CellSync

    init(_ path: String, centre: BenchCentre, port: Int) throws {
        var random = SystemRandomNumberGenerator()
        let organisation = centre.hub.identity.organisation
        let identity = StoreIdentity(
            organisation: organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
        let transport = try CurlTransport(CurlOptions(baseURL: "http://127.0.0.1:\(port)"))
        let newcomer = CentreClient(
            transport: transport, key: identity.key, organisation: nil, clock: Store.wallClock)
        _ = try newcomer.enroll(
            code: try centre.hub.issueCode(cell: "BENCH"), replica: identity.replica, deviceName: "bench")
        store = try Store(path: path, schema: try ItemTable.schema())
        let client = CentreClient(
            transport: transport, key: identity.key, organisation: organisation, clock: Store.wallClock)
        let key = centre.hub.identity.servingKey.publicKey
        cell = CellSync(
            store: store, identity: identity, centre: ServingKeys(key), link: CentreLink(client: client, centre: key))
    }

    func sync() throws {
        let report = try cell.run()
        try WrongResult.check(report.refusals.isEmpty, "the centre refused \(report.refusals)")
    }
}
