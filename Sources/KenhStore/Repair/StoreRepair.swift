import Foundation
import KenhMerge
import KenhProtocol

/// What a repair could keep of a damaged store, and what it could not.
public struct RepairReport: Sendable, Equatable {
    public var blocks = 0
    /// Blocks whose bytes are not what their hashes or signatures say. The centre has those that were sent.
    public var damagedBlocks = 0
    /// Changes that were not sealed yet and were made again.
    public var pendingChanges = 0
    public var damagedPendingChanges = 0

    public init() {}
}

/// Makes a new store of what is good in a damaged one. Tables and row states are not copied: they are made anew from
/// the blocks, each of which proves itself by hash and signature. What was not sealed is done again at the end, once the
/// blocks that were lost have come back from the centre.
public struct StoreRepair {
    public let store: Store
    public private(set) var report = RepairReport()
    private let damaged: DamagedStore

    private static let batchBytes = 16 << 20

    /// - Parameters:
    ///   - path: the damaged file, which is only read.
    ///   - newPath: where the new store is made; nothing may be there.
    /// - Throws: ``StoreError``: `corrupt` where even who the store is cannot be read.
    public init(
        damaged path: String, newPath: String, schema: Schema, key: SigningKey,
        clock: @escaping @Sendable () -> Int64 = Store.wallClock,
        random: @escaping @Sendable () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() }
    ) throws(StoreError) {
        damaged = try DamagedStore(path: path)
        let facts = damaged.facts()
        guard let certificates = CentreFacts.certificates({ facts[$0] ?? .null }) else {
            throw StoreError(
                .corrupt, "the store cannot even say who it is", advice: "keep the file, and join again in a new folder"
            )
        }
        store = try Store(path: newPath, schema: schema, mustExist: false, clock: clock, random: random)
        var generator = random()
        let identity = StoreIdentity(
            organisation: certificates.root.organisationFingerprint, replica: .random(using: &generator), key: key)
        try keep(facts, identity)
        // The root key vouches for it in the certificate; what lies beside that may be damaged.
        if facts[CentreFacts.keyName] != nil { try store.keep(certificates) }
        do { try rebuild(identity, certificates.keys) } catch { throw StoreError(wrapping: error) }
    }

    private func keep(_ facts: [String: Value], _ identity: StoreIdentity) throws(StoreError) {
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) where !StoreCore.ownKeys.contains(key) {
            try store.setFact(key, value)
        }
        // Of its own lanes some blocks may be missing: what is written from here on begins new ones.
        try store.setFact(StoreCore.replicaKey, .blob(identity.replica.bytes))
    }

    private mutating func rebuild(_ identity: StoreIdentity, _ keys: ServingKeys) throws {
        let statements = damaged.statements(signedBy: keys)
        var delivery = Delivery(registry: try statements.flatMap { try LogFollower.facts(of: $0) })
        delivery.statements = statements
        delivery.checkpoints = damaged.checkpoints(signedBy: keys)
        delivery.erasures = damaged.erasures(signedBy: keys)
        delivery.finalities = damaged.finalities(signedBy: keys)
        _ = try store.take(delivery, as: identity)
        let store = store
        func isGood(_ block: Block) -> Bool {
            guard block.header.organisation == identity.organisation else { return false }
            let known = (try? store.deviceKey(of: block.header.replica)) ?? nil
            // Before its first exchange a store is not in the registry itself.
            guard (try? block.verify(deviceKey: known ?? identity.key.publicKey)) != nil else { return false }
            return (try? BlockCodec().open(block)) != nil
        }
        var batch: [Delivery.Item] = []
        var bytes = 0
        report.damagedBlocks = try damaged.forEachBlock(isGood: isGood) { block, proof in
            let isProved = proof.map { $0.object == block.hash && $0.isGood(by: keys) } ?? false
            batch.append(
                Delivery.Item(
                    hash: block.hash, block: block, acceptance: isProved ? try proof.map { try .init($0) } : nil))
            report.blocks += 1
            bytes += block.byteCount
            guard bytes >= Self.batchBytes else { return }
            _ = try store.take(Delivery(items: batch), as: identity)
            (batch, bytes) = ([], 0)
        }
        _ = try store.take(Delivery(items: batch), as: identity)
    }

    /// Makes the changes again that the damaged store had not sealed. Where blocks were damaged, sync first: what an
    /// update builds on may still be at the centre alone.
    public mutating func redoPending() throws {
        let (changes, damagedCount) = damaged.pending(schema: store.schema)
        report.damagedPendingChanges = damagedCount
        for change in changes {
            do {
                try store.write(officer: change.officer, atMilliseconds: change.at) { try redo(change, in: $0) }
                report.pendingChanges += 1
            } catch let error as StoreError where error.code == .refusedValue {
                report.damagedPendingChanges += 1
            }
        }
    }

    private func redo(_ change: DamagedStore.Pending, in transaction: StoreTransaction) throws {
        guard let table = store.schema.table(change.table) else { return }
        switch PendingKind(rawValue: change.kind) {
        case .delete: try transaction.delete(table.name, id: change.id)
        case .insert:
            let values = change.values.sorted { $0.key < $1.key }
            var columns: [(String, Value)] = [("id", change.id)]
            if case .column(let name) = table.channel { columns.append((name, change.channel)) }
            columns += values.map { ($0.key, $0.value) }
            let names = columns.map { quoted($0.0) }.joined(separator: ", ")
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            try transaction.execute(
                "INSERT OR REPLACE INTO \(quoted(table.name))(\(names)) VALUES(\(marks))", columns.map(\.1))
        case .update: try update(change, table, addingToCounters: true, in: transaction)
        case .set: try update(change, table, addingToCounters: false, in: transaction)
        case nil: break
        }
    }

    private func update(
        _ change: DamagedStore.Pending, _ table: Table, addingToCounters: Bool, in transaction: StoreTransaction
    ) throws {
        let values = change.values.sorted { $0.key < $1.key }
        guard !values.isEmpty else { return }
        let counters = Set(table.columns.filter { $0.rule == .counter }.map(\.name))
        let sets = values.map { name, _ in
            let column = quoted(name)
            return addingToCounters && counters.contains(name) ? "\(column) = \(column) + ?" : "\(column) = ?"
        }
        try transaction.execute(
            "UPDATE \(quoted(table.name)) SET \(sets.joined(separator: ", ")) WHERE id = ?",
            values.map(\.value) + [change.id])
    }
}
