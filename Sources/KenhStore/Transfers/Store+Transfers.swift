import KenhMerge

extension Store {
    /// In the order in which they are to be tried: those that failed least first, of these the smallest.
    public func transfers() throws(StoreError) -> [Transfer] {
        try reading { core in
            let read = try core.sql(
                """
                SELECT hash, channel, direction, size, type, is_done, tries, next_at, error, epoch FROM kenh_transfer
                ORDER BY tries, size, hash, channel, direction
                """)
            defer { read.reset() }
            var found: [Transfer] = []
            while try read.step() {
                guard let hash = Hash256(bytes: read.bytes(0)),
                    let direction = Transfer.Direction(rawValue: read.int(2))
                else { continue }
                found.append(
                    Transfer(
                        hash: hash, channel: read.string(1), direction: direction, size: UInt64(clamping: read.int(3)),
                        type: read.string(4), isDone: read.int(5) != 0, tries: Int(clamping: read.int(6)),
                        nextAtMilliseconds: read.int(7), error: read.string(8), epoch: read.array(9)))
            }
            return found
        }
    }

    /// Keeps how far a transfer is. One that is gone, since the cell left its channel meanwhile, stays away.
    public func update(_ transfer: Transfer) throws(StoreError) {
        try transaction { _, core in
            let update = try core.sql(
                """
                UPDATE kenh_transfer SET size = ?4, type = ?5, is_done = ?6, tries = ?7, next_at = ?8, error = ?9,
                    epoch = ?10 WHERE hash = ?1 AND channel = ?2 AND direction = ?3
                """)
            bind(transfer, to: update)
            try update.run()
        }
    }

    /// Begins a transfer. One that there is already is due again.
    public func add(_ transfer: Transfer) throws(StoreError) {
        try transaction { _, core in
            let insert = try core.sql(
                """
                INSERT INTO kenh_transfer(hash, channel, direction, size, type, is_done, tries, next_at, error, epoch)
                VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET is_done = excluded.is_done, tries = 0, next_at = 0, error = ''
                """)
            bind(transfer, to: insert)
            try insert.run()
        }
    }

    /// Removes files that no transfer is about, such as those of a channel that the cell has left. Nobody can attach
    /// meanwhile, since that takes a transaction, too.
    ///
    /// - Parameter wanted: of what there are rows; a store that was made anew has no transfers.
    /// - Returns: how many.
    public func sweepAttachments(in files: any BlobFiles, except wanted: Set<Hash256>) throws(StoreError) -> Int {
        let known = try wanted.union(transfers().map(\.hash))
        let suspects = try files.all().filter { !known.contains($0) }
        guard !suspects.isEmpty else { return 0 }
        return try transaction { _, core in
            var removed = 0
            for hash in suspects {
                let read = try core.sql("SELECT 1 FROM kenh_transfer WHERE hash = ?")
                defer { read.reset() }
                read.bind(1, copying: hash.bytes)
                guard try !read.step() else { continue }
                try files.remove(hash)
                removed += 1
            }
            return removed
        }
    }

    private func bind(_ transfer: Transfer, to statement: Statement) {
        statement.bind(1, copying: transfer.hash.bytes)
        statement.bind(2, copying: transfer.channel)
        statement.bind(3, transfer.direction.rawValue)
        statement.bind(4, Int64(clamping: transfer.size))
        statement.bind(5, copying: transfer.type)
        statement.bind(6, transfer.isDone ? 1 : 0)
        statement.bind(7, transfer.tries)
        statement.bind(8, transfer.nextAtMilliseconds)
        statement.bind(9, copying: transfer.error)
        statement.bind(10, copying: transfer.epoch)
    }
}

extension StoreTransaction {
    /// Begins the upload of what a row of this transaction is about.
    public func addUpload(of hash: Hash256, channel: String, size: UInt64, type: String) throws(StoreError) {
        try execute(
            """
            INSERT INTO kenh_transfer(hash, channel, direction, size, type, is_done, tries, next_at, error, epoch)
            VALUES(?, ?, 0, ?, ?, 0, 0, 0, '', x'') ON CONFLICT DO NOTHING
            """,
            [.blob(hash.bytes), .text(channel), .integer(Int64(clamping: size)), .text(type)])
    }
}
