import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Cells with a store each in one temporary directory. Their blocks go through a log in memory, as the centre would
/// keep it, without any network or hub.
final class OrganisationFixture {
    static let start: Int64 = 1_760_000_000_000

    let directory: URL
    /// The centre's clock, and that of every cell which has none of its own.
    let clock = ManualClock(milliseconds: OrganisationFixture.start)
    let organisation: Hash256
    private(set) var cells: [CellFixture] = []
    private var log: [Delivery.Item] = []
    private var places: [Hash256: Delivery.Acceptance] = [:]
    private var heads: [String: UInt64] = [:]
    private var random: SeededGenerator

    init(_ names: [String] = ["A", "B"], schema: Schema = TestSchema.schema, seed: UInt64 = 1) throws {
        random = SeededGenerator(seed: seed)
        directory = FileManager.default.temporaryDirectory.appending(path: "kenh-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        organisation = try SigningKey(using: &random).publicKey.organisationFingerprint
        for name in names { try add(name, schema: schema) }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    subscript(_ name: String) -> CellFixture {
        guard let cell = cells.first(where: { $0.name == name }) else { preconditionFailure("no cell \(name)") }
        return cell
    }

    @discardableResult
    func add(
        _ name: String, schema: Schema = TestSchema.schema, clock: ManualClock? = nil,
        limits: WorkLimits = .namingByBirth
    ) throws -> CellFixture {
        let identity = StoreIdentity(
            organisation: organisation, replica: .random(using: &random), key: try SigningKey(using: &random))
        let path = directory.appending(path: "\(name).db").path
        let cell = try CellFixture(
            name: name, path: path, identity: identity, schema: schema, clock: clock ?? self.clock, limits: limits)
        cells.append(cell)
        return cell
    }

    var registry: [RegistryFact] {
        cells.flatMap { cell -> [RegistryFact] in
            let key = cell.identity.key.publicKey
            return [
                .cell(code: cell.name, name: "Cell \(cell.name)"), .device(key: key, cell: cell.name, name: cell.name),
                .replica(cell.identity.replica, device: key),
            ]
        }
    }

    // MARK: exchange

    /// Everybody sends, then everybody takes; then all agree, down to the last value.
    func exchange(deep: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for cell in cells { try send(cell) }
        for cell in cells { try receive(cell) }
        try check(deep: deep, sourceLocation: sourceLocation)
    }

    /// Moves a cell's unsent blocks into the log.
    func send(_ cell: CellFixture, limitBytes: Int = 1 << 30) throws {
        let outbox = try cell.store.outbox(as: cell.identity, limitBytes: limitBytes)
        for block in outbox.blocks where places[block.hash] == nil { enter(block) }
    }

    private func enter(_ block: Block) {
        let sequence = (heads[block.header.channel] ?? 0) + 1
        heads[block.header.channel] = sequence
        let place = Delivery.Acceptance(sequence: sequence, acceptedAtMilliseconds: clock.milliseconds)
        places[block.hash] = place
        log.append(Delivery.Item(hash: block.hash, block: block, acceptance: place))
    }

    /// Gives a cell what it has not taken yet, in the log's order.
    @discardableResult
    func receive(_ cell: CellFixture, upTo limit: Int = .max) throws -> DeliveryReport {
        let end = min(log.count, cell.taken + min(limit, log.count))
        let items = try log[cell.taken..<end].map { item in
            let isHere = try cell.store.block(item.hash) != nil
            return Delivery.Item(hash: item.hash, block: isHere ? nil : item.block, acceptance: item.acceptance)
        }
        cell.taken = end
        return try cell.store.take(Delivery(items: items, registry: registry), as: cell.identity)
    }

    /// Blocks that a cell has not taken yet.
    func waiting(for cell: CellFixture) -> [Block] { log[cell.taken...].compactMap(\.block) }

    func check(deep: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let digests = try cells.map { try $0.store.settledDigests() }
        for (cell, digest) in zip(cells, digests) {
            #expect(digest == digests[0], "\(cell.name) and \(cells[0].name) differ", sourceLocation: sourceLocation)
            let report = try cell.store.verify(deep: deep)
            #expect(report.problems == [], "\(cell.name)", sourceLocation: sourceLocation)
        }
    }

    /// The same answer from every cell, or nil where they differ.
    func everywhere<T: Equatable>(_ ask: (CellFixture) throws -> T) throws -> T? {
        let answers = try cells.map(ask)
        return answers.allSatisfy { $0 == answers[0] } ? answers[0] : nil
    }
}

extension WorkLimits {
    /// Blocks of a test are small, and name rows by their births all the same.
    static let namingByBirth: WorkLimits = {
        var limits = WorkLimits()
        limits.bytesPerBirth = 1 << 20
        return limits
    }()
}
