import KenhMerge

/// The id of a row as bytes and whether they are a text or a blob is the table's matter.
public enum RowIDType: UInt8, Sendable {
    case text = 0
    case blob = 1
}

/// A lane's last block that the writer had seen: says which branch of the lane is meant and what must be there first.
public struct ReplicaPin: Hashable, Comparable, Sendable {
    public let replica: ReplicaID
    /// The last counter of that block.
    public let counter: UInt64
    public let hash: HashPrefix

    public init(replica: ReplicaID, counter: UInt64, hash: HashPrefix) {
        self.replica = replica
        self.counter = counter
        self.hash = hash
    }

    public static func < (a: ReplicaPin, b: ReplicaPin) -> Bool {
        a.replica != b.replica ? a.replica < b.replica : a.hash < b.hash
    }
}

/// A predecessor as it travels: reference 0 is the block's own line, reference i + 1 the i-th pin of its table.
public struct WireDot: Hashable, Sendable {
    public var reference: UInt32
    public var counter: UInt64

    public init(reference: UInt32, counter: UInt64) {
        self.reference = reference
        self.counter = counter
    }
}

/// Collects changes column by column and writes a block's plain body. block-format.md gives the bytes.
public final class BodyBuilder {
    private struct TableEntry {
        let name: String
        let idType: RowIDType
        let columnNames: [String]
        var used: UInt64 = 0
        var streams: [ColumnStream]
    }

    // Touched for every value and only from here: the checks of exclusive access are left out.
    @exclusivity(unchecked) private var changes = ChangeColumns()
    @exclusivity(unchecked) private var tables: [TableEntry] = []
    private var tableNumbers: [String: Int] = [:]
    private var pins: [ReplicaPin] = []
    private var pinNumbers: [ReplicaPin: UInt32] = [:]
    @exclusivity(unchecked) private var estimate = 0

    public init() {}

    public var count: Int { changes.count }
    /// About how large the plain body is; the writer cuts by it.
    public var approximateBytes: Int { estimate }
    public var firstClock: HybridClock { changes.firstClock }
    public var lastClock: HybridClock { changes.lastClock }

    /// The number of a table in this block; columns are in the order of the writer's masks.
    public func table(_ name: String, idType: RowIDType, columns: [String]) -> Int {
        if let known = tableNumbers[name] { return known }
        let streams = columns.map { _ in ColumnStream() }
        tables.append(TableEntry(name: name, idType: idType, columnNames: columns, streams: streams))
        tableNumbers[name] = tables.count - 1
        return tables.count - 1
    }

    /// The reference under which a predecessor on that line is named.
    public func reference(to pin: ReplicaPin) -> UInt32 {
        if let known = pinNumbers[pin] { return known }
        pins.append(pin)
        pinNumbers[pin] = UInt32(pins.count)
        return UInt32(pins.count)
    }

    /// Begins a change; its values follow by `value…(column:)` in ascending column order.
    ///
    /// - Parameter birth: the row's insert in an earlier block, where the id need not be spelled out; not for an insert.
    public func change(
        _ kind: ChangeKind, table: Int, id: UnsafeRawBufferPointer, clock: HybridClock, columns: ColumnSet,
        birth: WireDot? = nil, predecessors: [WireDot]
    ) {
        changes.append(
            kind, table: table, id: id, clock: clock, columns: columns, birth: birth, predecessors: predecessors)
        if kind != .delete { tables[table].used |= columns.rawValue }
        estimate += 12 + id.count + predecessors.count * 4 + columns.count
    }

    /// Whether any change names its row by a birth dot.
    public var namesByBirth: Bool { changes.birthRefs.contains { $0 > 0 } }

    /// The birth dot by which a change names its row; nil where its id is spelled out.
    public func birth(of change: Int) -> WireDot? { changes.birth(of: change) }

    /// Spells a change's id out after all.
    public func dropBirth(of change: Int) { changes.dropBirth(of: change) }

    public func null(table: Int, column: Int) { tables[table].streams[column].appendNull() }

    public func value(_ value: Int64, table: Int, column: Int) {
        estimate += 4
        tables[table].streams[column].append(integer: value)
    }

    public func value(_ value: Double, table: Int, column: Int) {
        estimate += 8
        tables[table].streams[column].append(real: value)
    }

    public func text(_ value: UnsafeRawBufferPointer, table: Int, column: Int) {
        estimate += value.count
        tables[table].streams[column].append(text: value)
    }

    public func blob(_ value: UnsafeRawBufferPointer, table: Int, column: Int) {
        estimate += value.count
        tables[table].streams[column].append(blob: value)
    }

    public func value(_ value: Value, table: Int, column: Int) {
        switch value {
        case .null: null(table: table, column: column)
        case .integer(let x): self.value(x, table: table, column: column)
        case .real(let x): self.value(x, table: table, column: column)
        case .text(let x): x.withUnsafeBytes { text($0, table: table, column: column) }
        case .blob(let x): x.withUnsafeBytes { blob($0, table: table, column: column) }
        }
    }

    /// A value of an erasable column: the body gets a commitment, value and salt travel beside it.
    public func erasable(_ value: Value, salt: [UInt8], table: Int, column: Int) {
        estimate += 64 + value.byteCount
        let commitment = Erasable.commitment(to: value, salt: salt)
        tables[table].streams[column].append(commitment: commitment)
        pendingDetached.append((table: table, column: column, salt: salt, value: value))
    }

    private var pendingDetached: [(table: Int, column: Int, salt: [UInt8], value: Value)] = []

    /// The plain body, and the detached section (empty where no column is erasable).
    public func finish() -> (body: [UInt8], detached: [UInt8]) {
        let order = tables.indices.sorted {
            Array(tables[$0].name.utf8).lexicographicallyPrecedes(tables[$1].name.utf8)
        }
        var rank = [UInt64](repeating: 0, count: tables.count)
        for (place, table) in order.enumerated() { rank[table] = UInt64(place) }

        var writer = ByteWriter()
        writer.bytes.reserveCapacity(estimate + 4096)
        writer.byte(Limits.bodyVersion)
        writeTables(order, to: &writer)
        let pinRank = writePins(to: &writer)
        writer.ints(changes.kinds)
        writer.ints(changes.tables.map { rank[Int($0)] })
        writeIDs(to: &writer, pinRank)
        let first = firstClock.rawValue
        writer.ints(changes.clocks.map { $0 &- first })
        writer.ints(zip(changes.masks, changes.maskTables).map { Self.compress($0, to: tables[$1].used) })
        writer.ints(changes.predecessorCounts)
        writer.ints(changes.predecessorRefs.map { $0 == 0 ? 0 : pinRank[Int($0) - 1] })
        writer.ints(changes.predecessorCounters)
        for table in order {
            for (column, stream) in tables[table].streams.enumerated()
            where tables[table].used >> UInt64(column) & 1 == 1 {
                stream.write(to: &writer)
            }
        }
        return (writer.bytes, detachedSection(order))
    }

    private func writeTables(_ order: [Int], to writer: inout ByteWriter) {
        writer.varint(order.count)
        for table in order {
            let entry = tables[table]
            writer.prefixed(Array(entry.name.utf8))
            writer.byte(entry.idType.rawValue)
            writer.varint(entry.used.nonzeroBitCount)
            for (column, name) in entry.columnNames.enumerated() where entry.used >> UInt64(column) & 1 == 1 {
                writer.prefixed(Array(name.utf8))
            }
        }
    }

    /// Writes the pins in their strict order and gives the reference that each has then.
    private func writePins(to writer: inout ByteWriter) -> [UInt64] {
        let order = pins.indices.sorted { pins[$0] < pins[$1] }
        var rank = [UInt64](repeating: 0, count: pins.count)
        writer.varint(pins.count)
        for (place, at) in order.enumerated() {
            rank[at] = UInt64(place + 1)
            writer.raw(pins[at].replica.bytes)
            writer.varint(pins[at].counter)
            writer.raw(pins[at].hash.bytes)
        }
        return rank
    }

    private func writeIDs(to writer: inout ByteWriter, _ pinRank: [UInt64]) {
        guard namesByBirth else { return Self.write(changes.ids, to: &writer) }
        writer.byte(2)
        writer.ints(changes.birthRefs.map { $0 < 2 ? $0 : pinRank[Int($0) - 2] + 1 })
        var counters: [UInt64] = []
        var spelled = ByteRun()
        var start = 0
        for (change, length) in changes.ids.lengths.enumerated() {
            if changes.birthRefs[change] > 0 {
                counters.append(changes.birthCounters[change])
            } else {
                changes.ids.bytes[start..<start + length].withUnsafeBytes { spelled.append($0) }
            }
            start += length
        }
        writer.ints(counters)
        Self.write(spelled, to: &writer)
    }

    private static func write(_ ids: ByteRun, to writer: inout ByteWriter) {
        if let packed = HexIDs.pack(ids) {
            writer.byte(1)
            writer.raw(packed)
        } else {
            writer.byte(0)
            writer.ints(ids.lengths.map(UInt64.init))
            writer.raw(ids.bytes)
        }
    }

    private func detachedSection(_ order: [Int]) -> [UInt8] {
        guard !pendingDetached.isEmpty else { return [] }
        var rank = [Int](repeating: 0, count: tables.count)
        for (place, table) in order.enumerated() { rank[table] = place }
        let sorted = pendingDetached.enumerated().sorted { a, b in
            let (x, y) = ((rank[a.element.table], a.element.column), (rank[b.element.table], b.element.column))
            return x != y ? x < y : a.offset < b.offset
        }
        return DetachedSection(items: sorted.map { .present(salt: $0.element.salt, value: $0.element.value) }).encoded
    }

    /// Moves the bits of `mask` that stand under `used` together, lowest first.
    private static func compress(_ mask: UInt64, to used: UInt64) -> UInt64 {
        if used & (used &+ 1) == 0 { return mask }
        var (out, place, rest) = (UInt64(0), UInt64(0), used)
        while rest != 0 {
            let bit = UInt64(rest.trailingZeroBitCount)
            out |= (mask >> bit & 1) << place
            place += 1
            rest &= rest - 1
        }
        return out
    }
}

/// Ids of 32 lowercase hex digits travel as 16 bytes.
enum HexIDs {
    static let digits = 32

    static func pack(_ ids: ByteRun) -> [UInt8]? {
        guard ids.lengths.allSatisfy({ $0 == digits }) else { return nil }
        var isHex = true
        let out = [UInt8](unsafeUninitializedCapacity: ids.bytes.count / 2) { out, count in
            ids.bytes.withUnsafeBufferPointer { isHex = pack($0, into: out) }
            count = isHex ? ids.bytes.count / 2 : 0
        }
        return isHex ? out : nil
    }

    private static func pack(_ digits: UnsafeBufferPointer<UInt8>, into out: UnsafeMutableBufferPointer<UInt8>) -> Bool
    {
        for i in 0..<digits.count / 2 {
            guard let high = nibble(digits[2 * i]), let low = nibble(digits[2 * i + 1]) else { return false }
            out[i] = high << 4 | low
        }
        return true
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        if digit >= 0x30, digit <= 0x39 { return digit - 0x30 }
        if digit >= 0x61, digit <= 0x66 { return digit - 0x57 }
        return nil
    }

    static func unpack(_ packed: UnsafeRawBufferPointer, into arena: inout [UInt8]) {
        let digits = [UInt8](unsafeUninitializedCapacity: packed.count * 2) { out, count in
            for i in packed.indices {
                out[2 * i] = digit(packed[i] >> 4)
                out[2 * i + 1] = digit(packed[i] & 15)
            }
            count = packed.count * 2
        }
        arena.append(contentsOf: digits)
    }

    private static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }
}

extension Value {
    /// Bytes of a text or blob; other values count as nothing.
    fileprivate var byteCount: Int {
        switch self {
        case .text(let x), .blob(let x): x.count
        case .null, .integer, .real: 0
        }
    }
}
