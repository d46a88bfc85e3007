import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// Manifests and chunks of a centre that lies: what is read is written the same again.
    static let snapshot = FuzzTarget("snapshot", seeds: { SnapshotFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        if input.flag() {
            let content = input.rest()
            guard let manifest = try? SnapshotManifest(decoding: content) else { return }
            try require(manifest.encoded == content, "a manifest comes back otherwise")
            for sequence in [0, 1, manifest.sequence] {
                try require(
                    manifest.chunks(of: sequence).allSatisfy(manifest.chunks.indices.contains), "a chunk out of bounds")
            }
        } else {
            let content = input.rest()
            guard let chunk = try? SnapshotChunk(decoding: content) else { return }
            try require(SnapshotFuzz.written(chunk) == content, "a chunk comes back otherwise")
            _ = BlockBirths([(chunk.tables, chunk.items[...])])
        }
    }
}

private enum SnapshotFuzz {
    static func written(_ chunk: SnapshotChunk) -> [UInt8] {
        var writer = SnapshotChunkWriter()
        for (number, table) in chunk.tables.enumerated() {
            _ = writer.table(table.name, table.idType)
            for column in table.columns { _ = writer.column(column, of: number) }
        }
        for (place, item) in chunk.items { writer.add(item, at: place) }
        return writer.finish()
    }

    static let seeds: [[UInt8]] = {
        let first = SnapshotDot(sequence: 1, index: 0)
        var writer = SnapshotChunkWriter()
        _ = writer.table("note", .text)
        _ = writer.column("title", of: 0)
        let write = SnapshotWrite(
            dot: first, isRemoved: false, isDelta: false, isInsert: true, clock: HybridClock(milliseconds: 1),
            values: [(0, "t")])
        writer.add(.struck(named: [first]), at: first)
        writer.add(.row(table: 0, id: [0x61], writes: [write]), at: first)
        let chunk = writer.finish()
        let manifest = SnapshotManifest(
            organisation: FuzzWorld.organisation, channel: "org", sequence: 4, logHash: .zero, blocks: 3, waiting: [2],
            rows: 1, digest: .zero, chunks: [.init(hash: SnapshotChunk.hash(chunk), size: chunk.count, first: first)])
        return [[1] + manifest.encoded, [0] + chunk]
    }()
}
