import CSQLite
import KenhMerge
import KenhProtocol

/// A bounded piece of the pending changes, read in the order in which they were made and sorted so that each channel's
/// rows follow one another by id.
struct PendingChunk {
    struct Entry {
        var seq: Int64
        var table: Int
        var channel: Int
        /// Rises wherever the officer changes: a new block starts there.
        var run: Int
        var kind: ChangeKind
        /// An update that sets counters instead of adding to them.
        var isSet: Bool
        /// Over the table's declared columns.
        var mask: UInt64
        var at: Int64
        var idStart: Int
        var idLength: Int
        var idPrefix: UInt64
        var valueStart: Int
    }

    private(set) var entries: [Entry] = []
    private(set) var values: [ValueRef] = []
    private(set) var arena: [UInt8] = []
    private(set) var lastSeq: Int64
    /// Whether no pending change follows.
    private(set) var isLast = true
    /// Who is named by each run of entries.
    private var officers = [""]
    /// Tables with rows whose ids cannot travel.
    private(set) var refused: [LocalTable] = []

    /// Reads up to `limit` changes after `seq`.
    init(
        after seq: Int64, limit: Int, sql: StatementCache, catalogue: TableCatalogue, channels: ChannelBook
    ) throws(StoreError) {
        lastSeq = seq
        let read = try sql("SELECT * FROM kenh_pending WHERE seq > ? ORDER BY seq LIMIT ?")
        defer { read.reset() }
        read.bind(1, seq)
        read.bind(2, limit)
        var officer: [UInt8] = []
        var count = 0
        // One change after another is mostly of one table, and so of one channel.
        var constant: (table: Int, channel: Int)?
        while try read.step() {
            lastSeq = read.int(0)
            count += 1
            if !read.bytes(7).elementsEqual(officer) {
                officer = read.array(7)
                officers.append(Self.alias(officer))
            }
            guard let table = catalogue.tables[Int(read.int(1))],
                let kind = PendingKind(rawValue: read.int(2)),
                let channel = try constant?.table == table.number
                    ? constant?.channel : Self.channel(read, table, channels)
            else { continue }
            if table.constantChannel != nil { constant = (table.number, channel) }
            guard Self.canTravel(read.bytes(3), table) else {
                refused.append(table)
                continue
            }
            append(read, table: table, kind: kind, channel: channel, run: officers.count - 1)
        }
        isLast = count < limit
    }

    func officer(_ entry: Entry) -> String { officers[entry.run] }

    func id(_ entry: Entry) -> ArraySlice<UInt8> { arena[entry.idStart..<entry.idStart + entry.idLength] }

    /// SQL lets ids through that are no UTF-8; a block with one would be refused by everybody.
    private static func canTravel(_ id: UnsafeRawBufferPointer, _ table: LocalTable) -> Bool {
        guard (1...Limits.idBytes).contains(id.count) else { return false }
        return table.idType == .blob || UTF8Check.isTextWithoutNUL(id)
    }

    /// The pending table is open to every tool: what is no alias is nobody's.
    private static func alias(_ bytes: [UInt8]) -> String {
        guard bytes.count <= Limits.officerBytes, bytes.withUnsafeBytes(UTF8Check.isTextWithoutNUL) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func channel(
        _ read: Statement, _ table: LocalTable, _ channels: ChannelBook
    ) throws(StoreError) -> Int? {
        if let constant = table.constantChannel { return try channels.number(constant) }
        let name = read.string(4)
        return ChannelName.isValid(name) ? try channels.number(name) : nil
    }

    private mutating func append(
        _ read: Statement, table: LocalTable, kind: PendingKind, channel: Int, run: Int
    ) {
        let id = read.bytes(3)
        let declared = ColumnSet.first(table.declaredNumbers.count).rawValue
        let mask = UInt64(bitPattern: read.int(5)) & declared
        entries.append(
            Entry(
                seq: lastSeq, table: table.number, channel: channel, run: run, kind: kind.change,
                isSet: kind == .set, mask: mask, at: read.int(6), idStart: arena.count, idLength: id.count,
                idPrefix: Self.prefix(id), valueStart: values.count))
        arena.append(contentsOf: id)
        let columns = kind == .delete ? declared : mask
        ColumnSet(rawValue: columns).forEach { appendValue(read, 8 + Int32($0)) }
    }

    private mutating func appendValue(_ read: Statement, _ column: Int32) {
        switch sqlite3_column_type(read.handle, column) {
        case SQLITE_INTEGER: values.append(ValueRef(.integer, payload: UInt64(bitPattern: read.int(column))))
        case SQLITE_FLOAT:
            values.append(ValueRef(.real, payload: sqlite3_column_double(read.handle, column).bitPattern))
        case SQLITE_TEXT: appendBytes(read.bytes(column), .text)
        case SQLITE_BLOB: appendBytes(read.bytes(column), .blob)
        default: values.append(ValueRef(.null))
        }
    }

    private mutating func appendBytes(_ bytes: UnsafeRawBufferPointer, _ tag: Value.Tag) {
        values.append(ValueRef(tag, payload: UInt64(arena.count), count: UInt32(bytes.count)))
        arena.append(contentsOf: bytes)
    }

    static func prefix(_ id: UnsafeRawBufferPointer) -> UInt64 {
        if id.count >= 8 { return UInt64(bigEndian: id.loadUnaligned(as: UInt64.self)) }
        var result: UInt64 = 0
        for i in 0..<8 { result = result << 8 | (i < id.count ? UInt64(id[i]) : 0) }
        return result
    }

    /// Indices of the entries: channel by channel, officer by officer, then by table and id, then as they were made.
    func order() -> [Int] {
        arena.withUnsafeBytes { arena in
            entries.indices.sorted { a, b in
                let (x, y) = (entries[a], entries[b])
                if x.channel != y.channel { return x.channel < y.channel }
                if x.run != y.run { return x.run < y.run }
                if x.table != y.table { return x.table < y.table }
                if x.idPrefix != y.idPrefix { return x.idPrefix < y.idPrefix }
                let order = IDOrder.compare(
                    UnsafeRawBufferPointer(rebasing: arena[x.idStart..<x.idStart + x.idLength]),
                    UnsafeRawBufferPointer(rebasing: arena[y.idStart..<y.idStart + y.idLength]))
                return order != 0 ? order < 0 : a < b
            }
        }
    }
}

/// Order of ids: their bytes.
enum IDOrder {
    @inline(__always)
    static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let shared = min(a.count, b.count)
        var i = 0
        while i < shared {
            if a[i] != b[i] { return a[i] < b[i] ? -1 : 1 }
            i += 1
        }
        return a.count - b.count
    }
}
