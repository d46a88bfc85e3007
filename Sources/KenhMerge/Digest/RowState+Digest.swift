/// What the digest needs to know of a dot, the same on every node.
public struct BlockPlace: Sendable, Equatable {
    public let hash: Hash256
    /// The change's place in the block, from 0.
    public let index: UInt64

    public init(hash: Hash256, index: UInt64) {
        self.hash = hash
        self.index = index
    }
}

extension DigestHasher {
    /// The seed of a row: its table's name and its id.
    public static func row(table: Digest128, id: UnsafeRawBufferPointer) -> Digest128 {
        var hasher = DigestHasher(table)
        hasher.bytes(id)
        return hasher.digest
    }

    /// The seed of a table or column by its name.
    public static func name(_ name: String) -> Digest128 {
        var hasher = DigestHasher()
        hasher.bytes(Array(name.utf8))
        return hasher.digest
    }

    /// The seed of the existence column, which has no name.
    public static let existence = unnamed(.max)

    /// The seed of a column that this node cannot name. Only a damaged state has one: the digest then differs from
    /// everybody else's, which raises the alert.
    static func unnamed(_ column: UInt64) -> Digest128 {
        var hasher = DigestHasher()
        hasher.word(column)
        return hasher.digest
    }
}

extension RowState {
    /// The sum over every stamp of the row: row, column, block hash and index, mark, effective clock.
    ///
    /// - Parameters:
    ///   - row: the seed of the row.
    ///   - columns: the seeds of the table's columns by this node's numbers.
    ///   - place: where a dot's block stands.
    public func digest(
        row: Digest128, columns: [Digest128], place: (Dot) throws -> BlockPlace
    ) rethrows -> Digest128 {
        var sum = Digest128.zero
        for write in writes { sum += write.digest(row: row, columns: columns, place: try place(write.dot)) }
        return sum
    }
}

extension Write {
    /// The part of one write in its row's sum; `place` is where its block stands.
    public func digest(row: Digest128, columns: [Digest128], place: BlockPlace) -> Digest128 {
        var stamp = DigestHasher(row)
        stamp.word(place.hash.words.0)
        stamp.word(place.hash.words.1)
        stamp.word(place.index << 1 | (isRemoved ? 1 : 0))
        stamp.word(clock.rawValue)
        var sum = Digest128.zero
        self.columns.forEach { column in
            let seed = Self.seed(of: column, in: columns)
            var item = stamp
            item.word(seed.high)
            item.word(seed.low)
            sum += item.digest
        }
        return sum
    }

    private static func seed(of column: Int, in columns: [Digest128]) -> Digest128 {
        if column == 63 { return DigestHasher.existence }
        return columns.indices.contains(column) ? columns[column] : DigestHasher.unnamed(UInt64(column))
    }
}
