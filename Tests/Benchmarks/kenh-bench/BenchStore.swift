import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// A store with a replica of its own, and what the steps do with it.
struct BenchStore {
    static let organisation = Hash256(1, 2, 3, 4)

    let path: String
    let store: Store
    let identity: StoreIdentity

    init(_ path: String, number: UInt8) throws {
        self.path = path
        store = try Store(path: path, schema: try ItemTable.schema())
        identity = StoreIdentity(
            organisation: Self.organisation, replica: ReplicaID(high: UInt64(number), low: 1),
            key: try SigningKey(bytes: [UInt8](repeating: number, count: 32)))
    }

    /// Its table through another connection, as any SQLite tool writes it.
    func table() throws -> ItemTable { ItemTable(database: try RawDatabase(path)) }

    /// How its table is declared, without triggers.
    func ddl() throws -> String {
        try table().database.text("SELECT sql FROM sqlite_schema WHERE name = '\(ItemTable.name)'")
    }

    func seal() throws { _ = try store.seal(as: identity) }

    /// Everything that was sealed here and not sent.
    func unsent() throws -> [Block] { try store.outbox(as: identity, limitBytes: .max).blocks }

    /// Takes blocks in as they come off the wire: parsed, their hashes and signatures checked, merged.
    @discardableResult
    func take(_ blocks: [WireBlock], of writer: BenchStore) throws -> DeliveryReport {
        let now = store.now
        let items = try blocks.enumerated().map { place, wire in
            let block = try Block(wire)
            try block.verify(deviceKey: writer.identity.key.publicKey)
            return Delivery.Item(
                hash: block.hash, block: block,
                acceptance: .init(sequence: UInt64(place + 1), acceptedAtMilliseconds: now))
        }
        return try store.take(Delivery(items: items), as: identity)
    }

    func digest() throws -> Digest128 {
        try store.status().channels.first { $0.name == ItemTable.channel }?.digest ?? .zero
    }

    func fileBytes() throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }

    /// How many values of concurrent writes are kept beside the shown ones.
    func loserCount() throws -> Int {
        try store.conflicts(table: ItemTable.name).reduce(0) { count, conflict in
            if case .values(_, _, let losers) = conflict.kind { return count + losers.count }
            return count
        }
    }
}
