import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// A store's file with damage, as a failing disk or a bad backup gives it back: errors that say so, never a trap.
    static let store = FuzzTarget("store", seeds: { StoreFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        let folder = try ScratchFolder()
        try StoreDamage.damage(StoreWorld.shared.file, as: "kenh.db", in: folder, by: &input)
        guard let store = try? FuzzWorld.openStore(folder.path("kenh.db"), mustExist: true) else { return }
        for _ in 0..<(4 + input.below(8)) { try StoreFuzz.use(store, &input) }
        StoreFuzz.look(at: store)
    }
}

private enum StoreFuzz {
    /// What a cell does with its store. Errors are expected; that they are the store's own is checked.
    static func use(_ store: Store, _ input: inout FuzzInput) throws {
        let choice = input.below(9)
        let salt = input.below(4)
        do {
            switch choice {
            case 0: _ = try store.seal(as: FuzzWorld.identity(0))
            case 1: _ = try store.take(StoreWorld.shared.next, as: FuzzWorld.identity(0))
            case 2: _ = try store.outbox(as: FuzzWorld.identity(0), limitBytes: 1 << 20)
            case 3: _ = try store.verify(deep: salt == 0)
            case 4: try resolve(store)
            case 5: try edit(store, salt)
            case 6: try reconcile(store)
            case 7: try receipts(store)
            default: look(at: store)
            }
        } catch is StoreError {}
    }

    private static func edit(_ store: Store, _ salt: Int) throws {
        try store.write { transaction in
            switch salt {
            case 0: try transaction.update("note", id: "r1", [("title", "new")])
            case 1: try transaction.delete("note", id: "r1")
            case 2: try transaction.insert("task", [("id", "t1"), ("channel", "b"), ("points", 3)])
            default: try transaction.insert("note", [("title", "x")])
            }
        }
    }

    /// What a cell hands back to a centre that was restored, and takes over from it.
    private static func reconcile(_ store: Store) throws {
        _ = try store.logRecord(as: FuzzWorld.identity(0))
        let offers = try store.offers(above: [:])
        _ = try store.handBack(offers, limitBytes: 1 << 20)
        let adoption = Adoption(
            epoch: [UInt8](repeating: 9, count: EntryProof.epochBytes), common: [:], acceptances: [:],
            handedBackBlocks: 1)
        try store.adopt(adoption, as: FuzzWorld.identity(0))
    }

    private static func resolve(_ store: Store) throws {
        for conflict in try store.conflicts() {
            switch conflict.kind {
            case .values(let column, let shown, _):
                try store.resolve(table: conflict.table, id: conflict.id, column: column, to: shown.value)
            case .keptDespiteDelete: try store.keep(table: conflict.table, id: conflict.id)
            }
        }
    }

    private static func receipts(_ store: Store) throws {
        let items = try store.outbox(as: FuzzWorld.identity(0), limitBytes: 1 << 20).blocks.enumerated().map {
            Delivery.Item(
                hash: $1.hash, block: nil,
                acceptance: .init(sequence: UInt64($0 + 9), acceptedAtMilliseconds: FuzzWorld.now - 1_000_000))
        }
        _ = try store.take(Delivery(items: items), as: FuzzWorld.identity(0))
    }

    static func look(at store: Store) {
        _ = try? store.status()
        _ = try? store.conflicts()
        _ = try? store.cursors()
        _ = try? store.settledDigests()
        _ = try? store.authors()
        _ = try? store.notices()
        _ = try? store.history(table: "note", id: "r1")
        _ = try? store.history(table: "photo", id: String(repeating: "01", count: 16))
        _ = try? store.fact("schema_version")
        _ = try? store.deviceKey(of: FuzzWorld.replicas[1])
    }

    static var seeds: [[UInt8]] {
        [
            [0, 0, 3, 0, 0, 1, 4, 0, 8, 0], [1, 1, 3, 2, 0, 1, 5, 3, 0], [1, 1, 5, 1, 0, 7, 1, 0, 0],
            [1, 2, 10, 3, 1, 0xf1, 2, 3, 9, 8, 0xff, 0], [1, 0, 16, 0, 255, 0],
        ]
    }
}
