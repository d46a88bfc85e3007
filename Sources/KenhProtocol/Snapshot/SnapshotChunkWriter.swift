import KenhMerge

/// Makes a chunk of a snapshot, item by item.
public struct SnapshotChunkWriter: Sendable {
    private var tables: [(name: String, idType: RowIDType, columns: [String], numbers: [String: Int])] = []
    private var items = ByteWriter()
    private var last = SnapshotDot(sequence: 0, index: 0)
    private var lastMilliseconds: Int64 = 0
    private var count = 0
    /// Of the first item.
    public private(set) var first: SnapshotDot?

    public init() {}

    public var isEmpty: Bool { count == 0 }
    public var byteCount: Int { items.bytes.count }

    /// The table's number in this chunk.
    public mutating func table(_ name: String, _ idType: RowIDType) -> Int {
        tables.append((name, idType, [], [:]))
        return tables.count - 1
    }

    /// The number of a column in this chunk. Columns are numbered as they are first asked for: ask in the order of the
    /// names, or other nodes make other bytes.
    public mutating func column(_ name: String, of table: Int) -> Int {
        if let known = tables[table].numbers[name] { return known }
        tables[table].columns.append(name)
        tables[table].numbers[name] = tables[table].columns.count - 1
        return tables[table].columns.count - 1
    }

    /// - Parameters:
    ///   - place: not below that of the item before.
    ///   - writes: in the order of their dots.
    public mutating func add(_ item: SnapshotItem, at place: SnapshotDot) {
        first = first ?? place
        items.varint(place.sequence - last.sequence)
        items.varint(place.sequence == last.sequence ? place.index - last.index : place.index)
        last = place
        count += 1
        switch item {
        case .struck(let named):
            items.byte(SnapshotChunk.struckForm)
            items.varint(named.count)
            named.forEach { dot($0) }
        case .row(let table, let id, let writes):
            items.byte(0)
            items.varint(table)
            items.prefixed(id)
            items.varint(writes.count)
            writes.forEach { write($0, at: place) }
        }
    }

    private mutating func dot(_ dot: SnapshotDot) {
        items.varint(dot.sequence)
        items.varint(dot.index)
    }

    private mutating func write(_ write: SnapshotWrite, at place: SnapshotDot) {
        let isHere = write.dot == place
        items.byte(
            (write.isRemoved ? 1 : 0) | (write.isDelta ? 2 : 0) | (write.isInsert ? 4 : 0) | (isHere ? 8 : 0))
        if !isHere { dot(write.dot) }
        let milliseconds = Int64(clamping: write.clock.rawValue >> 16)
        items.signed(milliseconds - lastMilliseconds)
        lastMilliseconds = milliseconds
        items.varint(UInt64(write.clock.tick))
        items.varint(write.values.reduce(UInt64(0)) { $0 | 1 << UInt64($1.column) })
        for (_, value) in write.values { items.value(value) }
    }

    public func finish() -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(SnapshotChunk.version)
        writer.varint(tables.count)
        for table in tables {
            writer.prefixed(table.name.utf8)
            writer.byte(table.idType.rawValue)
            writer.varint(table.columns.count)
            for column in table.columns { writer.prefixed(column.utf8) }
        }
        writer.varint(count)
        writer.raw(items.bytes)
        return writer.bytes
    }
}
