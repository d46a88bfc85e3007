import KenhMerge
import KenhProtocol

extension Store {
    /// Writes of rows that are deleted, by channel and block: those rows of which no write is left that counts, and that
    /// no block of the log after a place touches, nor one that the log does not have.
    ///
    /// - Parameter settled: how far each channel's log is known to everybody who may still write there.
    public func deletedRows(settled: [String: UInt64]) throws(StoreError) -> [String: [Finality.BlockPart]] {
        try reading { core in
            var channels: [Int: Set<RowKey>] = [:]
            for (name, sequence) in settled {
                guard let channel = core.channels.find(name)?.number else { continue }
                channels[channel] = try Self.touched(in: channel, after: sequence, core)
            }
            var found: [Int: [Hash256: [Int]]] = [:]
            try core.rows.forEach(of: core.catalogue) { row, channel, state in
                guard let touched = channels[channel], !state.writes.isEmpty,
                    state.writes.allSatisfy(\.isRemoved), !touched.contains(row)
                else { return }
                for write in state.writes {
                    let place = try core.index.place(of: write.dot)
                    found[channel, default: [:]][place.hash, default: []].append(Int(place.index))
                }
            }
            return Dictionary(
                uniqueKeysWithValues: found.map { channel, blocks in
                    let parts = blocks.map { Finality.BlockPart(hash: $0.key, changes: ChangeSet($0.value.sorted())) }
                    return (core.channels.name(channel), parts.sorted { $0.hash < $1.hash })
                })
        }
    }

    /// Channels in which deleted rows still have states.
    public func channelsWithDeletedRows() throws(StoreError) -> Set<String> {
        try reading { core in
            var channels: Set<Int> = []
            try core.rows.forEach(of: core.catalogue) { _, channel, state in
                if !state.writes.isEmpty, state.writes.allSatisfy(\.isRemoved) { channels.insert(channel) }
            }
            return Set(channels.map { core.channels.name($0) })
        }
    }

    private static func touched(in channel: Int, after sequence: UInt64, _ core: StoreCore) throws -> Set<RowKey> {
        var rows: Set<RowKey> = []
        for hash in try core.blocks.merged(in: channel, after: sequence) {
            guard let block = try core.blocks.block(hash) else { continue }
            let opened = try OpenedBlock(reopening: block, channel: channel, core)
            for change in 0..<opened.body.count { rows.insert(RowKey(opened, change)) }
        }
        return rows
    }
}
