import KenhMerge
import KenhProtocol

/// Removes a channel that the cell may not read any more: its rows, their states, its blocks and its place in the log,
/// together. What was written there and not sent yet has to be sent first.
struct ChannelLeave {
    let core: StoreCore

    /// Channels that the cell has no business with any more, and of which nothing is unsent.
    func due(_ rights: Rights, cell: String) throws(StoreError) -> [ChannelBook.Channel] {
        let unreadable = core.channels.all.filter { channel in
            channel.name != ChannelName.registry && !rights.role(of: cell, in: channel.name).reads
        }
        guard !unreadable.isEmpty else { return [] }
        let unsent = try core.blocks.channelsWithUnsent()
        return unreadable.filter { !unsent.contains($0.number) }
    }

    func leave(_ channel: ChannelBook.Channel) throws {
        try removeRows(of: channel)
        let forget = try core.sql("DELETE FROM kenh_transfer WHERE channel = ?")
        forget.bind(1, copying: channel.name)
        try forget.run()
        let forgetSeen = try core.sql("DELETE FROM kenh_seen_snapshot WHERE channel = ?")
        forgetSeen.bind(1, copying: channel.name)
        try forgetSeen.run()
        try core.sql.delete(
            [
                "kenh_struck WHERE branch IN (SELECT number FROM kenh_branch WHERE ch = ?)",
                "kenh_snapshot WHERE ch = ?", "kenh_snapshot_chunk WHERE ch = ?", "kenh_block WHERE ch = ?",
                "kenh_branch WHERE ch = ?", "kenh_channel WHERE number = ?",
            ], channel: channel.number)
    }

    /// Takes the channel's rows out of the tables, and their states with them.
    func removeRows(of channel: ChannelBook.Channel) throws {
        for row in try rows(of: channel.number) {
            guard let table = core.catalogue.tables[row.table] else { throw BranchIndex.damaged }
            let states = try core.rows.states(table: table, id: row.id)
            let isShown = try row.id.withUnsafeBytes { id in
                try core.rows.remove(table: table, id: id, channel: channel.number)
                return core.shownChannel(states, table: table, id: id) == channel.number
            }
            guard isShown, table.declared != nil else { continue }
            try TableLine(core: core, table: table).delete(id: row.id)
            if states.count > 1 { try MergePass([], core: core).showKept(table: table, id: row.id) }
        }
    }

    private func rows(of channel: Int) throws(StoreError) -> [RowKey] {
        let read = try core.sql("SELECT tbl, id FROM kenh_row WHERE ch = ?")
        defer { read.reset() }
        read.bind(1, channel)
        var rows: [RowKey] = []
        while try read.step() { rows.append(RowKey(table: Int(read.int(0)), id: read.array(1))) }
        return rows
    }
}

extension StatementCache {
    /// - Parameter tables: what follows DELETE FROM, with one parameter.
    func delete(_ tables: [String], channel: Int) throws(StoreError) {
        for table in tables {
            let delete = try self("DELETE FROM \(table)")
            delete.bind(1, channel)
            try delete.run()
        }
    }
}
