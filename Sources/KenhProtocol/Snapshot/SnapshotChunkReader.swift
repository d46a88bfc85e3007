import KenhMerge

/// Reads a chunk (snapshot-format.md) and checks it whole. Any bytes are safe to give it.
struct SnapshotChunkReader {
    private var reader: ByteReader
    private var last = SnapshotDot(sequence: 0, index: 0)
    private var lastMilliseconds: Int64 = 0

    init(_ bytes: UnsafeRawBufferPointer) { reader = ByteReader(bytes) }

    private func malformed(_ reason: String) -> MalformedBytes { MalformedBytes(reason, at: reader.offset) }

    mutating func chunk() throws(MalformedBytes) -> SnapshotChunk {
        guard try reader.byte() == SnapshotChunk.version else { throw malformed("an unknown version") }
        var tables: [BodyTable] = []
        for _ in 0..<(try reader.count(upTo: Limits.tablesPerBlock)) { tables.append(try table()) }
        guard Set(tables.map(\.name)).count == tables.count else { throw malformed("a table twice") }
        let count = try reader.count(upTo: reader.remaining)
        guard count > 0 else { throw malformed("no items") }
        var items: [(place: SnapshotDot, item: SnapshotItem)] = []
        items.reserveCapacity(count)
        for number in 0..<count {
            let (place, form) = (try self.place(isFirst: number == 0), try reader.byte())
            guard form <= SnapshotChunk.struckForm else { throw malformed("an unknown form") }
            if number > 0, place == last {
                // Only what a change named, then the row that it inserts.
                guard form == 0, case .struck? = items.last?.item else { throw malformed("a place twice") }
            }
            last = place
            items.append((place, form == 0 ? try row(at: place, tables) : .struck(named: try named())))
        }
        guard reader.isAtEnd else { throw malformed("trailing bytes") }
        return SnapshotChunk(tables: tables, items: items)
    }

    private mutating func table() throws(MalformedBytes) -> BodyTable {
        let name = try self.name()
        guard let idType = RowIDType(rawValue: try reader.byte()) else { throw malformed("an unknown type of id") }
        var columns: [String] = []
        for _ in 0..<(try reader.count(upTo: Limits.columnsPerTable)) { columns.append(try self.name()) }
        guard Set(columns).count == columns.count else { throw malformed("a column twice") }
        return BodyTable(name: name, idType: idType, columns: columns)
    }

    private mutating func name() throws(MalformedBytes) -> String {
        let bytes = try reader.prefixed(upTo: Limits.nameBytes)
        let isPlain = bytes.allSatisfy {
            (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
        }
        guard !bytes.isEmpty, isPlain else { throw malformed("not a name") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func place(isFirst: Bool) throws(MalformedBytes) -> SnapshotDot {
        let (gap, index) = (try reader.varint(), try reader.varint())
        let (sequence, isOver) = last.sequence.addingReportingOverflow(gap)
        let (sum, isAbove) = index.addingReportingOverflow(gap == 0 ? last.index : 0)
        guard !isOver, !isAbove, sequence > 0, sequence < 1 << 62, sum < UInt64(Limits.changesPerBlock) else {
            throw malformed("a place out of range")
        }
        return SnapshotDot(sequence: sequence, index: sum)
    }

    private mutating func dot() throws(MalformedBytes) -> SnapshotDot {
        let (sequence, index) = (try reader.varint(), try reader.varint())
        guard sequence > 0, sequence < 1 << 62, index < UInt64(Limits.changesPerBlock) else {
            throw malformed("a change out of range")
        }
        return SnapshotDot(sequence: sequence, index: index)
    }

    private mutating func named() throws(MalformedBytes) -> [SnapshotDot] {
        var dots: [SnapshotDot] = []
        for _ in 0..<(try reader.count(upTo: Limits.predecessorsPerBlock)) { dots.append(try dot()) }
        return dots
    }

    private mutating func row(at place: SnapshotDot, _ tables: [BodyTable]) throws(MalformedBytes) -> SnapshotItem {
        let table = try reader.count(upTo: Int(UInt32.max))
        guard tables.indices.contains(table) else { throw malformed("no such table") }
        let bytes = try reader.prefixed(upTo: Limits.idBytes)
        guard !bytes.isEmpty, tables[table].idType == .blob || UTF8Check.isTextWithoutNUL(bytes) else {
            throw malformed("not an id")
        }
        let id = Array(bytes)
        var writes: [SnapshotWrite] = []
        for _ in 0..<(try reader.count(upTo: reader.remaining)) {
            let write = try self.write(at: place, columns: tables[table].columns.count)
            guard writes.last.map({ $0.dot < write.dot }) ?? true else { throw malformed("writes are not sorted") }
            writes.append(write)
        }
        return .row(table: table, id: id, writes: writes)
    }

    private mutating func write(at place: SnapshotDot, columns: Int) throws(MalformedBytes) -> SnapshotWrite {
        let flags = try reader.byte()
        guard flags < 16 else { throw malformed("unknown flags") }
        let dot = flags & 8 != 0 ? place : try self.dot()
        guard flags & 8 != 0 || dot != place else { throw malformed("a change in the longer form") }
        let (milliseconds, isOver) = lastMilliseconds.addingReportingOverflow(try reader.signed())
        guard !isOver, (0..<Int64(1) << 48).contains(milliseconds) else { throw malformed("a time out of range") }
        lastMilliseconds = milliseconds
        let tick = try reader.count(upTo: Int(UInt16.max))
        let mask = try reader.varint()
        guard columns >= 64 || mask < 1 << UInt64(columns) else { throw malformed("no such column") }
        let isDelta = flags & 2 != 0
        guard mask != 0 || flags & 4 != 0, !isDelta || flags & 4 == 0 else { throw malformed("a write of nothing") }
        var values: [(column: Int, value: Value)] = []
        for column in 0..<columns where mask & 1 << UInt64(column) != 0 {
            values.append((column, try value(isDelta: isDelta)))
        }
        return SnapshotWrite(
            dot: dot, isRemoved: flags & 1 != 0, isDelta: isDelta, isInsert: flags & 4 != 0,
            clock: HybridClock(rawValue: UInt64(milliseconds) << 16 | UInt64(tick)), values: values)
    }

    /// As in a block's body.
    private mutating func value(isDelta: Bool) throws(MalformedBytes) -> Value {
        let value = try reader.value()
        let isGood =
            switch value {
            case .null, .integer: true
            case .real(let real): real.isFinite && !(real == 0 && real.sign == .minus)
            case .text(let bytes): bytes.withUnsafeBytes(UTF8Check.isTextWithoutNUL)
            case .blob: true
            }
        guard isGood, !isDelta || value.tag == .integer else { throw malformed("a value that no row has") }
        return value
    }
}
