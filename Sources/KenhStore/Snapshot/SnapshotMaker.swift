import Foundation
import KenhMerge
import KenhProtocol

/// Makes a snapshot of a channel: merges its entries, in their order, in a store of its own that knows no table, and
/// writes down what comes out in terms that are the same on every node.
public final class SnapshotMaker {
    private let channel: String
    private let store: Store
    private let identity: StoreIdentity
    /// The entry that brought each block, from 1.
    private var sequences: [Hash256: UInt64] = [:]

    /// - Parameter folder: for the store, as large as the channel's rows; nothing stays there.
    public init(
        channel: String, folder: String, random: @escaping @Sendable () -> any RandomNumberGenerator
    ) throws {
        self.channel = channel
        var generator = random()
        let path = folder + "/snapshot-\(ReplicaID.random(using: &generator)).db"
        var limits = WorkLimits()
        // What is lost with the power is made again.
        limits.durability = .scratch
        store = try Store(path: path, schema: try Schema([]), limits: limits, clock: { 0 }, random: random)
        identity = StoreIdentity(
            organisation: .zero, replica: .random(using: &generator), key: try SigningKey(using: &generator))
    }

    /// Removes what makers left that were killed: rows of a channel, and perhaps what was erased since.
    public static func sweep(_ folder: String, olderThan date: Date) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix("snapshot-") && name.contains(".db") {
            let path = "\(folder)/\(name)"
            let modified = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
            if let modified, modified < date { try? FileManager.default.removeItem(atPath: path) }
        }
    }

    deinit {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: store.path + suffix)
        }
    }

    /// Merges further entries.
    ///
    /// - Parameter items: in the order of the log, each with the sequence of its entry.
    public func take(_ items: [Delivery.Item], finalities: [Delivery.Finality] = []) throws {
        for item in items where item.block != nil && sequences[item.hash] == nil {
            sequences[item.hash] = item.acceptance?.sequence
        }
        var delivery = Delivery(items: items)
        delivery.finalities = finalities
        _ = try store.take(delivery, as: identity)
    }

    /// - Parameters:
    ///   - sequence: of the last entry that was taken.
    ///   - keep: told of each chunk: its hash and its plain bytes.
    public func finish(
        organisation: Hash256, sequence: UInt64, logHash: Hash256, _ keep: (Hash256, [UInt8]) throws -> Void
    ) throws -> SnapshotManifest {
        try store.reading { core in
            var chunks: [SnapshotManifest.Chunk] = []
            let number = core.channels.find(channel)?.number ?? 0
            let applied = try core.blocks.appliedHashes()
            let writing = SnapshotWriting(core: core, channel: number, sequences: sequences)
            let rows = try writing.run(applied) { plain, first in
                let hash = SnapshotChunk.hash(plain)
                chunks.append(.init(hash: hash, size: plain.count, first: first))
                try keep(hash, plain)
            }
            return SnapshotManifest(
                organisation: organisation, channel: channel, sequence: sequence, logHash: logHash,
                blocks: UInt64(sequences.count),
                waiting: sequences.filter { !applied.contains($0.key) }.map(\.value).sorted(), rows: rows,
                digest: core.channels[number]?.digest ?? .zero, chunks: chunks)
        }
    }
}
