import KenhMerge
import KenhProtocol
import KenhStore

/// A store as it lies on a disk: two writers, conflicts, a deleted row, changes that are not sealed, a block that waits.
struct StoreWorld {
    let file: [UInt8]
    /// What comes next from the other writer, and again what came before.
    let next: Delivery

    static let shared: StoreWorld = {
        do { return try StoreWorld() } catch { preconditionFailure("\(error)") }
    }()

    private init() throws {
        let folder = try ScratchFolder()
        next = try Self.fill(folder)
        file = try folder.read("mine.db")
    }

    private static func fill(_ folder: ScratchFolder) throws -> Delivery {
        let mine = try FuzzWorld.openStore(folder.path("mine.db"))
        let other = try FuzzWorld.openStore(folder.path("other.db"))
        var blocks: [Block] = []
        for step in 0..<4 {
            try edit(other, step, by: "other")
            let sealed = try other.outbox(as: FuzzWorld.identity(1), limitBytes: 1 << 20).blocks
            blocks += sealed.filter { block in !blocks.contains { $0.hash == block.hash } }
        }
        for step in 0..<2 { try edit(mine, step, by: "mine") }
        _ = try mine.take(delivery(blocks.prefix(2), registry: registry), as: FuzzWorld.identity(0))
        // One whose predecessor is missing, and an edit that is not sealed.
        _ = try mine.take(delivery(blocks.suffix(1), registry: []), as: FuzzWorld.identity(0))
        try edit(mine, 2, by: "mine")
        return delivery(blocks[...], registry: registry)
    }

    private static func delivery(_ blocks: ArraySlice<Block>, registry: [RegistryFact]) -> Delivery {
        Delivery(
            items: blocks.enumerated().map { number, block in
                Delivery.Item(
                    hash: block.hash, block: block,
                    acceptance: .init(sequence: UInt64(number + 1), acceptedAtMilliseconds: FuzzWorld.now))
            }, registry: registry,
            cursors: [ChannelCursor(channel: "org", epoch: [7], sequence: 1, logHash: Hash256(1, 2, 3, 4))])
    }

    private static var registry: [RegistryFact] {
        (0..<2).flatMap { number -> [RegistryFact] in
            let key = FuzzWorld.devices[number].publicKey
            return [
                .cell(code: "C\(number)", name: "Cell"), .device(key: key, cell: "C\(number)", name: "d"),
                .replica(FuzzWorld.replicas[number], device: key),
            ]
        }
    }

    /// Always the same rows, so that the two writers meet.
    private static func edit(_ store: Store, _ step: Int, by name: String) throws {
        let photo: Value = .blob([UInt8](repeating: 1, count: 16))
        try store.write(officer: "o\(step)") { transaction in
            switch step {
            case 0:
                try transaction.insert("note", [("id", "r1"), ("title", .text(name)), ("size", 1.5), ("secret", "s")])
                try transaction.insert("task", [("id", "t1"), ("channel", "a"), ("title", .text(name))])
                try transaction.insert("photo", [("id", photo), ("data", .blob(Array(name.utf8)))])
            case 1:
                try transaction.update("note", id: "r1", [("title", .text(name + "2"))])
                try transaction.delete("task", id: "t1")
            case 2: try transaction.update("photo", id: photo, [("data", .blob([1, 2, 3]))])
            default: try transaction.insert("note", [("id", "r2"), ("title", .text(name))])
            }
        }
    }
}
