import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

/// Blocks of a device whose programme is not this one: anything that the format allows, whatever the schema says.
final class ForeignBlock {
    let organisation: OrganisationFixture
    private let channel: String
    private let replica: ReplicaID
    private let key: SigningKey
    private let codec = BlockCodec()
    private var previous = Hash256.zero
    private var nextCounter: UInt64 = 1

    init(_ organisation: OrganisationFixture, channel: String, seed: UInt64 = 77) throws {
        self.organisation = organisation
        self.channel = channel
        var random = SeededGenerator(seed: seed)
        replica = .random(using: &random)
        key = try SigningKey(using: &random)
    }

    func seal(_ fill: (BodyBuilder) -> Void) throws -> Block {
        let builder = BodyBuilder()
        fill(builder)
        let draft = BlockDraft(
            organisation: organisation.organisation, channel: channel, replica: replica, officer: "",
            firstCounter: nextCounter, previous: previous, schemaVersion: 9, isGroupStart: true, isGroupEnd: true)
        let block = try codec.seal(builder, as: draft, key: key)
        previous = block.hash
        nextCounter += UInt64(builder.count)
        return block
    }

    func insert(_ id: Value, table: Int, columns: [Value], into builder: BodyBuilder) {
        let bytes: [UInt8] =
            switch id {
            case .text(let x), .blob(let x): x
            default: []
            }
        bytes.withUnsafeBytes {
            builder.change(
                .insert, table: table, id: $0, clock: HybridClock(milliseconds: organisation.clock.milliseconds),
                columns: .first(columns.count), predecessors: [])
        }
        for (column, value) in columns.enumerated() { builder.value(value, table: table, column: column) }
    }

    /// An update of one column in a row that is named by the dot of its insert.
    func update(_ birth: WireDot, table: Int, column: Int, to value: Value, into builder: BodyBuilder) {
        [UInt8]().withUnsafeBytes {
            builder.change(
                .update, table: table, id: $0, clock: HybridClock(milliseconds: organisation.clock.milliseconds),
                columns: .column(column), birth: birth, predecessors: [])
        }
        builder.value(value, table: table, column: column)
    }

    @discardableResult
    func give(_ block: Block, to cell: CellFixture) throws -> DeliveryReport {
        let acceptance = Delivery.Acceptance(
            sequence: 1_000_000, acceptedAtMilliseconds: organisation.clock.milliseconds)
        let item = Delivery.Item(hash: block.hash, block: block, acceptance: acceptance)
        let registry: [RegistryFact] = [.replica(replica, device: key.publicKey)]
        return try cell.store.take(Delivery(items: [item], registry: registry), as: cell.identity)
    }
}
