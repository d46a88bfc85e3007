import KenhMerge

/// Reads a plain body (block-format.md) and checks it whole. Any bytes are safe to give it.
struct BodyDecoder {
    private var reader: ByteReader
    private let count: Int
    private let firstCounter: UInt64
    private var body = BlockBody()
    private var hasAdditions = false

    static func decode(
        _ bytes: UnsafeRawBufferPointer, header: BlockHeader, detached: DetachedSection
    ) throws(MalformedBytes) -> BlockBody {
        var decoder = BodyDecoder(bytes, header: header)
        try decoder.tables()
        try decoder.pins()
        try decoder.changes(firstClock: header.firstClock, lastClock: header.lastClock)
        try decoder.predecessors()
        try decoder.values(detached)
        guard decoder.reader.isAtEnd else { throw MalformedBytes("trailing bytes", at: decoder.reader.offset) }
        return decoder.body
    }

    /// The ids of a body's inserts; what follows the ids is not looked at.
    static func births(_ bytes: UnsafeRawBufferPointer, header: BlockHeader) throws(MalformedBytes) -> BlockBirths {
        var decoder = BodyDecoder(bytes, header: header)
        try decoder.tables()
        try decoder.pins()
        try decoder.rows()
        return BlockBirths(decoder.body)
    }

    private init(_ bytes: UnsafeRawBufferPointer, header: BlockHeader) {
        reader = ByteReader(bytes)
        count = Int(header.count)
        firstCounter = header.firstCounter
        body.arena = Array(bytes)
    }

    private mutating func tables() throws(MalformedBytes) {
        guard try reader.byte() == Limits.bodyVersion else { throw malformed("unknown version of the body") }
        for _ in 0..<(try reader.count(upTo: Limits.tablesPerBlock)) {
            let name = try self.name()
            if let last = body.tables.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
                throw malformed("tables are not sorted")
            }
            guard let idType = RowIDType(rawValue: try reader.byte()) else { throw malformed("unknown type of id") }
            var columns: [String] = []
            for _ in 0..<(try reader.count(upTo: Limits.columnsPerTable)) { columns.append(try self.name()) }
            guard Set(columns.map { Array($0.utf8) }).count == columns.count else { throw malformed("a column twice") }
            body.tables.append(BodyTable(name: name, idType: idType, columns: columns))
        }
    }

    private mutating func name() throws(MalformedBytes) -> String {
        let bytes = try reader.prefixed(upTo: Limits.nameBytes)
        let isPlain = bytes.allSatisfy {
            (0x61...0x7a).contains($0) || (0x41...0x5a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
        }
        guard !bytes.isEmpty, isPlain else { throw malformed("not a name") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func pins() throws(MalformedBytes) {
        for _ in 0..<(try reader.count(upTo: Limits.replicasPerBlock)) {
            let replica = ReplicaID(bytes: try reader.raw(ReplicaID.byteCount))
            let counter = try reader.varint()
            let hash = HashPrefix(bytes: try reader.raw(HashPrefix.byteCount))
            guard let replica, let hash, counter > 0 else { throw malformed("not a pin") }
            let pin = ReplicaPin(replica: replica, counter: counter, hash: hash)
            if let last = body.pins.last, !(last < pin) { throw malformed("pins are not sorted") }
            body.pins.append(pin)
        }
    }

    private mutating func changes(firstClock: HybridClock, lastClock: HybridClock) throws(MalformedBytes) {
        try rows()
        try clocks(first: firstClock, last: lastClock)
        try masks()
    }

    private mutating func rows() throws(MalformedBytes) {
        body.kinds.reserveCapacity(count)
        for kind in try reader.ints(count, upTo: 3) {
            guard let kind = ChangeKind(rawValue: UInt8(kind)) else { throw malformed("unknown kind") }
            body.kinds.append(kind)
            hasAdditions = hasAdditions || kind == .add
        }
        guard !body.tables.isEmpty else { throw malformed("no table") }
        body.tableRefs = try reader.ints(count, upTo: UInt64(body.tables.count - 1)).map(UInt32.init)
        try ids()
    }

    private mutating func ids() throws(MalformedBytes) {
        let form = try reader.byte()
        guard form == 2 else {
            (body.idStarts, body.idLengths) = try spelledIDs(form, Array(0..<count))
            return
        }
        let spelled = try births()
        let (starts, lengths) = try spelledIDs(try reader.byte(), spelled)
        body.idStarts = [UInt32](repeating: 0, count: count)
        body.idLengths = body.idStarts
        for (place, change) in spelled.enumerated() {
            (body.idStarts[change], body.idLengths[change]) = (starts[place], lengths[place])
        }
    }

    /// Changes whose rows are named by birth dots.
    /// - Returns: the other changes.
    private mutating func births() throws(MalformedBytes) -> [Int] {
        let references = try reader.ints(count, upTo: UInt64(body.pins.count) + 1)
        let named = (0..<count).filter { references[$0] > 0 }
        guard !named.isEmpty else { throw malformed("birth dots without one") }
        let counters = try reader.ints(named.count)
        for (change, counter) in zip(named, counters) {
            let dot = WireDot(reference: UInt32(references[change] - 1), counter: counter)
            let seen = dot.reference == 0 ? firstCounter - 1 : body.pins[Int(dot.reference) - 1].counter
            guard body.kinds[change] != .insert else { throw malformed("an insert that is named by a birth") }
            guard counter > 0, counter <= seen else { throw malformed("a birth that its writer cannot have seen") }
            body.births.append(NamedByBirth(change: change, birth: dot))
        }
        return (0..<count).filter { references[$0] == 0 }
    }

    private mutating func spelledIDs(
        _ form: UInt8, _ changes: [Int]
    ) throws(MalformedBytes) -> (starts: [UInt32], lengths: [UInt32]) {
        var starts: [UInt32] = []
        starts.reserveCapacity(changes.count)
        switch form {
        case 0:
            let lengths = try reader.ints(changes.count, upTo: UInt64(Limits.idBytes)).map(UInt32.init)
            for length in lengths { starts.append(UInt32(try reader.skip(Int(length)))) }
            try checkIDs(changes, starts, lengths)
            return (starts, lengths)
        case 1:
            let packed = try reader.raw(changes.count * HexIDs.digits / 2)
            body.arena.reserveCapacity(body.arena.count * 2 + changes.count * HexIDs.digits)
            for i in changes.indices { starts.append(UInt32(body.arena.count + i * HexIDs.digits)) }
            HexIDs.unpack(packed, into: &body.arena)
            return (starts, [UInt32](repeating: UInt32(HexIDs.digits), count: changes.count))
        default: throw malformed("unknown form of ids")
        }
    }

    private func checkIDs(_ changes: [Int], _ starts: [UInt32], _ lengths: [UInt32]) throws(MalformedBytes) {
        for (place, i) in changes.enumerated() {
            let start = Int(starts[place])
            let id = UnsafeRawBufferPointer(rebasing: reader.base[start..<start + Int(lengths[place])])
            switch body.tables[Int(body.tableRefs[i])].idType {
            case .text: try checkText(id)
            case .blob: break
            }
            if id.isEmpty { throw malformed("empty id") }
        }
    }

    private func checkText(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        guard UTF8Check.isTextWithoutNUL(bytes) else { throw malformed("text is not UTF-8 without NUL") }
    }

    private mutating func clocks(first: HybridClock, last: HybridClock) throws(MalformedBytes) {
        body.clocks.reserveCapacity(count)
        var (low, high) = (HybridClock(rawValue: .max), HybridClock(rawValue: 0))
        for offset in try reader.ints(count) {
            let (raw, overflow) = first.rawValue.addingReportingOverflow(offset)
            guard !overflow else { throw malformed("clock out of range") }
            let clock = HybridClock(rawValue: raw)
            low = min(low, clock)
            high = max(high, clock)
            body.clocks.append(clock)
        }
        guard low == first, high == last else { throw malformed("clocks do not fit the header") }
    }

    private mutating func masks() throws(MalformedBytes) {
        let carrying = body.kinds.reduce(0) { $0 + ($1 == .delete ? 0 : 1) }
        var masks = try reader.ints(carrying).makeIterator()
        body.masks.reserveCapacity(count)
        for i in 0..<count {
            guard body.kinds[i] != .delete, let mask = masks.next() else {
                body.masks.append(0)
                continue
            }
            let columns = body.tables[Int(body.tableRefs[i])].columns.count
            guard mask >> UInt64(columns) == 0, mask != 0 || body.kinds[i] == .insert else {
                throw malformed("mask out of range")
            }
            body.masks.append(mask)
        }
    }

    private mutating func predecessors() throws(MalformedBytes) {
        let counts = try reader.ints(count, upTo: UInt64(Limits.predecessorsPerBlock))
        body.predecessorStarts.reserveCapacity(count + 1)
        var total = 0
        for count in counts {
            body.predecessorStarts.append(UInt32(total))
            total += Int(count)
            guard total <= Limits.predecessorsPerBlock else { throw malformed("too many predecessors") }
        }
        body.predecessorStarts.append(UInt32(total))
        if hasAdditions { try checkAdditionsNameNothing() }
        let references = try reader.ints(total, upTo: UInt64(body.pins.count))
        let counters = try reader.ints(total)
        body.predecessors.reserveCapacity(total)
        for i in 0..<total {
            guard counters[i] > 0 else { throw malformed("counter 0") }
            body.predecessors.append(WireDot(reference: UInt32(references[i]), counter: counters[i]))
        }
        try checkSeen()
    }

    private func checkAdditionsNameNothing() throws(MalformedBytes) {
        for change in 0..<count where body.kinds[change] == .add {
            guard body.predecessorStarts[change] == body.predecessorStarts[change + 1] else {
                throw malformed("an addition that names others")
            }
        }
    }

    /// A change names only what its writer had seen: on its own line what came before it, elsewhere nothing above the
    /// pin. A later dot would make the merged state depend on the order of arrival.
    private func checkSeen() throws(MalformedBytes) {
        for change in 0..<count {
            for dot in body.predecessors(of: change) {
                let seen =
                    dot.reference == 0
                    ? firstCounter + UInt64(change) - 1 : body.pins[Int(dot.reference) - 1].counter
                guard dot.counter <= seen else { throw malformed("a predecessor that its writer cannot have seen") }
            }
        }
    }

    // MARK: values

    private mutating func values(_ detached: DetachedSection) throws(MalformedBytes) {
        body.valueStarts.reserveCapacity(count + 1)
        var total = 0
        for mask in body.masks {
            body.valueStarts.append(UInt32(total))
            total += mask.nonzeroBitCount
        }
        body.valueStarts.append(UInt32(total))
        body.values = [ValueRef](repeating: ValueRef(.null), count: total)
        var items = detached.items.makeIterator()
        for (table, entry) in body.tables.enumerated() {
            let changes = body.tables.count == 1 ? Array(0..<count) : (0..<count).filter { body.tableRefs[$0] == table }
            for column in entry.columns.indices { try stream(column, of: changes, detached: &items) }
        }
        guard items.next() == nil else { throw malformed("detached values without a commitment") }
    }

    private mutating func stream(
        _ column: Int, of changes: [Int], detached: inout IndexingIterator<[DetachedSection.Item]>
    ) throws(MalformedBytes) {
        let bit = UInt64(1) << UInt64(column)
        var places: [Int] = []
        places.reserveCapacity(changes.count)
        for i in changes where body.masks[i] & bit != 0 {
            places.append(Int(body.valueStarts[i]) + (body.masks[i] & (bit - 1)).nonzeroBitCount)
        }
        guard !places.isEmpty else { throw malformed("a column without values") }
        let tags = try reader.ints(places.count, upTo: UInt64(Value.Tag.commitment.rawValue))
        if hasAdditions { try checkAdditionsAreIntegers(tags, of: changes.filter { body.masks[$0] & bit != 0 }) }
        try integers(Self.select(places, tags, .integer))
        try reals(Self.select(places, tags, .real))
        try texts(Self.select(places, tags, .text))
        try blobs(Self.select(places, tags, .blob))
        let committed = Self.select(places, tags, .commitment)
        guard !committed.isEmpty else { return }
        let owners = Self.select(changes.filter { body.masks[$0] & bit != 0 }, tags, .commitment)
        for (place, change) in zip(committed, owners) {
            try commitment(at: place, detached: &detached)
            let isErased = body.values[place].tag == .commitment
            body.committed.append(CommittedValue(change: change, column: column, isErased: isErased))
        }
    }

    /// Commitments are refused, too: an addition that can be erased would leave no sum.
    private func checkAdditionsAreIntegers(_ tags: [UInt64], of changes: [Int]) throws(MalformedBytes) {
        for (change, tag) in zip(changes, tags) where body.kinds[change] == .add {
            guard tag == UInt64(Value.Tag.integer.rawValue) else { throw malformed("an addition of no integer") }
        }
    }

    private static func select(_ places: [Int], _ tags: [UInt64], _ tag: Value.Tag) -> [Int] {
        if let first = tags.first, tags.allSatisfy({ $0 == first }) {
            return first == UInt64(tag.rawValue) ? places : []
        }
        return zip(places, tags).filter { $0.1 == UInt64(tag.rawValue) }.map(\.0)
    }

    private mutating func integers(_ places: [Int]) throws(MalformedBytes) {
        let numbers = try reader.ints(places.count)
        for (place, number) in zip(places, numbers) {
            body.values[place] = ValueRef(.integer, payload: UInt64(bitPattern: Int64(zigzag: number)))
        }
    }

    private mutating func reals(_ places: [Int]) throws(MalformedBytes) {
        guard !places.isEmpty else { return }
        let form = try reader.byte()
        guard form <= 10 else { throw malformed("unknown form of reals") }
        let scaled = form == 0 ? [] : try reader.ints(places.count)
        for (i, place) in places.enumerated() {
            let real: Double
            if form == 0 {
                real = Double(bitPattern: try reader.fixed64())
            } else {
                real = Double(Int64(zigzag: scaled[i])) / DecimalScale.factors[Int(form) - 1]
            }
            guard real.isFinite else { throw malformed("a real that is no number") }
            body.values[place] = ValueRef(.real, payload: real.bitPattern)
        }
    }

    private mutating func texts(_ places: [Int]) throws(MalformedBytes) {
        guard !places.isEmpty else { return }
        let prefix = Array(try reader.prefixed(upTo: Limits.valueBytes))
        let lengths = try reader.ints(places.count, upTo: UInt64(Limits.valueBytes))
        // Every text is written out with the prefix: a few bytes of a body could otherwise fill the memory.
        guard prefix.isEmpty || body.arena.count + prefix.count * places.count <= Limits.arenaBytes else {
            throw malformed("texts are too large")
        }
        for (place, length) in zip(places, lengths) {
            guard prefix.count + Int(length) <= Limits.valueBytes else { throw malformed("a text is too large") }
            let start = try reader.skip(Int(length))
            let rest = UnsafeRawBufferPointer(rebasing: reader.base[start..<start + Int(length)])
            guard prefix.isEmpty else {
                let at = body.arena.count
                body.arena.append(contentsOf: prefix)
                body.arena.append(contentsOf: rest)
                try checkArenaText(at, prefix.count + Int(length))
                body.values[place] = ValueRef(.text, payload: UInt64(at), count: UInt32(prefix.count + Int(length)))
                continue
            }
            try checkText(rest)
            body.values[place] = ValueRef(.text, payload: UInt64(start), count: UInt32(length))
        }
    }

    private func checkArenaText(_ start: Int, _ length: Int) throws(MalformedBytes) {
        let isText = body.arena.withUnsafeBytes {
            UTF8Check.isTextWithoutNUL(UnsafeRawBufferPointer(rebasing: $0[start..<start + length]))
        }
        guard isText else { throw malformed("text is not UTF-8 without NUL") }
    }

    private mutating func blobs(_ places: [Int]) throws(MalformedBytes) {
        let lengths = try reader.ints(places.count, upTo: UInt64(Limits.valueBytes))
        for (place, length) in zip(places, lengths) {
            let start = try reader.skip(Int(length))
            body.values[place] = ValueRef(.blob, payload: UInt64(start), count: UInt32(length))
        }
    }

    /// An erased value is NULL from now on; a present one has to fit its commitment.
    private mutating func commitment(
        at place: Int, detached: inout IndexingIterator<[DetachedSection.Item]>
    ) throws(MalformedBytes) {
        let bytes = try reader.raw(Hash256.byteCount)
        guard let item = detached.next() else { throw malformed("a commitment without its value") }
        guard case .present(let salt, let value) = item else {
            body.values[place] = ValueRef(.commitment)
            return
        }
        guard let hash = Hash256(bytes: bytes), Erasable.commitment(to: value, salt: salt) == hash else {
            throw malformed("a detached value does not fit its commitment")
        }
        body.values[place] = try keep(value)
    }

    private mutating func keep(_ value: Value) throws(MalformedBytes) -> ValueRef {
        let start = body.arena.count
        switch value {
        case .null: return ValueRef(.null)
        case .integer(let x): return ValueRef(.integer, payload: UInt64(bitPattern: x))
        case .real(let x):
            guard x.isFinite else { throw malformed("a real that is no number") }
            return ValueRef(.real, payload: x.bitPattern)
        case .text(let x):
            body.arena += x
            try checkArenaText(start, x.count)
            return ValueRef(.text, payload: UInt64(start), count: UInt32(x.count))
        case .blob(let x):
            body.arena += x
            return ValueRef(.blob, payload: UInt64(start), count: UInt32(x.count))
        }
    }

    private func malformed(_ reason: String) -> MalformedBytes { MalformedBytes(reason, at: reader.offset) }
}

/// Text as the protocol allows it.
public enum UTF8Check {
    private static func isASCIIWithoutNUL(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            // A byte's high bit is set in `word` unless it is ASCII, and in the difference where a byte was 0.
            guard (word | (word &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080 == 0 else { return false }
            offset += 8
        }
        while offset < bytes.count {
            guard (1...0x7f).contains(bytes[offset]) else { return false }
            offset += 1
        }
        return true
    }

    public static func isTextWithoutNUL(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if isASCIIWithoutNUL(bytes) { return true }
        return !bytes.contains(0)
            && bytes.withMemoryRebound(to: UInt8.self) { String(validating: $0, as: UTF8.self) != nil }
    }
}
