import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// A block from the wire. The first byte says what the rest is: a message as it came, or a plain body which is put
    /// under a header of its own, since no fuzzer finds the body's hash.
    static let block = FuzzTarget("block", seeds: { try BlockFuzz.seeds() }) { bytes in
        var input = FuzzInput(bytes)
        let codec = BlockCodec()
        if input.flag() {
            guard let wire = try? WireCoding.decode(WireBlock.self, from: input.rest()),
                let block = try? Block(wire)
            else { return }
            try BlockFuzz.checkForwarding(block)
            guard let body = try? codec.open(block) else { return }
            try BlockFuzz.walk(body)
            try BlockFuzz.checkErasing(block, body, codec)
        } else if let block = try BlockFuzz.block(&input), let body = try? codec.open(block) {
            try BlockFuzz.checkForwarding(block)
            try BlockFuzz.walk(body)
            try BlockFuzz.checkErasing(block, body, codec)
            if block.detached.isEmpty { try BlockFuzz.checkSealing(body, as: block.header, codec) }
        }
    }
}

private enum BlockFuzz {
    /// Header fields and detached section as the input says, then the plain body.
    static func block(_ input: inout FuzzInput) throws -> Block? {
        let count = UInt32(input.byte()) + 1
        let firstCounter = UInt64(input.byte()) + 1
        let first = input.word()
        let span = UInt64(input.byte())
        let detached = input.chunk()
        let plain = input.rest()
        let body = try Zstandard().compress(plain)
        let header = BlockHeader(
            organisation: FuzzWorld.organisation, channel: "org", replica: FuzzWorld.replicas[0], officer: "",
            firstCounter: firstCounter, count: count, previous: firstCounter == 1 ? .zero : Hash256(1, 2, 3, 4),
            schemaVersion: 1, firstClock: HybridClock(rawValue: first),
            lastClock: HybridClock(rawValue: first &+ span), isGroupStart: true, isGroupEnd: true,
            compressedSize: body.count, plainSize: plain.count, bodyHash: Hashing.sha256(domain: .blockBody, body))
        let bytes = try header.encoded()
        return try? Block(
            headerBytes: bytes, body: body,
            deviceSignature: try FuzzWorld.devices[0].sign(bytes, domain: .blockDevice), officerSignature: [],
            detached: detached)
    }

    static func checkForwarding(_ block: Block) throws {
        let again = try? Block(block.wire)
        try require(again?.hash == block.hash && again?.header == block.header, "a block changes when it is forwarded")
        if (try? block.verify(deviceKey: FuzzWorld.devices[0].publicKey)) != nil {
            let wrong = FuzzWorld.devices[1].publicKey
            try require((try? block.verify(deviceKey: wrong)) == nil, "a block is by two devices")
        }
    }

    /// Uses every accessor that the merge and the history use.
    static func walk(_ body: BlockBody) throws {
        for change in 0..<body.count {
            let table = body.tables[Int(body.tableRefs[change])]
            try require(!body.id(of: change).isEmpty, "an empty id")
            let values = body.values(of: change).map { body.value($0) }
            try require(values.count == body.masks[change].nonzeroBitCount, "values do not fit the mask")
            try require(body.masks[change] >> UInt64(table.columns.count) == 0, "a mask beyond the table's columns")
            for dot in body.predecessors(of: change) {
                try require(Int(dot.reference) <= body.pins.count && dot.counter > 0, "a reference to no pin")
            }
            for value in values { try checkValue(value) }
        }
    }

    /// Every other value that can go goes, and everything else stays.
    static func checkErasing(_ block: Block, _ body: BlockBody, _ codec: BlockCodec) throws {
        let names = body.committed.map { body.name(of: $0, in: block.hash) }
        try require(Set(names).count == names.count, "one name for two values")
        let wanted = Set(names.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element))
        guard let erased = try block.erasing(body, where: wanted.contains) else { return }
        try require(erased.hash == block.hash, "a block without a value is another block")
        let after = try codec.open(erased)
        let gone = Set(after.erased(in: block.hash))
        try require(gone == wanted.union(body.erased(in: block.hash)), "other values are gone than were to go")
        for change in 0..<body.count {
            for (before, now) in zip(body.values(of: change), after.values(of: change)) where now.tag != .commitment {
                try require(body.value(before) == after.value(now), "a value changes")
            }
        }
    }

    private static func checkValue(_ value: Value) throws {
        switch value {
        case .text(let bytes):
            try require(bytes.withUnsafeBytes(UTF8Check.isTextWithoutNUL), "text that no node may have")
        case .real(let real): try require(real.isFinite, "a real that no node may have")
        case .null, .integer, .blob: break
        }
    }

    /// What was decoded, sealed anew, is decoded to the same.
    static func checkSealing(_ body: BlockBody, as header: BlockHeader, _ codec: BlockCodec) throws {
        let draft = BlockDraft(
            organisation: header.organisation, channel: header.channel, replica: header.replica,
            officer: header.officer, firstCounter: header.firstCounter, previous: header.previous,
            schemaVersion: header.schemaVersion, isGroupStart: true, isGroupEnd: true)
        let sealed = try codec.seal(builder(body), as: draft, key: FuzzWorld.devices[0])
        let again = try codec.open(sealed)
        try require(again.tables == body.tables && again.pins == body.pins, "tables or pins change")
        try require(
            again.kinds == body.kinds && again.tableRefs == body.tableRefs && again.clocks == body.clocks
                && again.masks == body.masks && again.predecessors == body.predecessors, "changes change")
        for change in 0..<body.count {
            try require(again.id(of: change) == body.id(of: change), "an id changes")
            let same =
                again.values(of: change).map { again.value($0) } == body.values(of: change).map { body.value($0) }
            try require(same, "a value changes")
        }
    }

    private static func builder(_ body: BlockBody) -> BodyBuilder {
        let builder = BodyBuilder()
        for table in body.tables { _ = builder.table(table.name, idType: table.idType, columns: table.columns) }
        for pin in body.pins { _ = builder.reference(to: pin) }
        for change in 0..<body.count {
            let (table, columns) = (Int(body.tableRefs[change]), ColumnSet(rawValue: body.masks[change]))
            Array(body.id(of: change)).withUnsafeBytes {
                builder.change(
                    body.kinds[change], table: table, id: $0, clock: body.clocks[change], columns: columns,
                    predecessors: Array(body.predecessors(of: change)))
            }
            var values = body.values(of: change).makeIterator()
            columns.forEach { column in
                builder.value(values.next().map(body.value) ?? .null, table: table, column: column)
            }
        }
        return builder
    }

    static func seeds() throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        for choices in [[UInt8](), Array(0..<120), Array(repeating: 5, count: 90), Array((0..<200).reversed())] {
            var maker = BodyMaker(FuzzInput(choices))
            let builder = maker.body(pins: [], ownCounter: 0)
            let (plain, detached) = builder.finish()
            var output = FuzzOutput()
            output.byte(0)
            output.byte(builder.count - 1)
            output.byte(0)
            for byte in builder.firstClock.rawValue.bigEndianBytes { output.byte(Int(byte)) }
            output.byte(Int(truncatingIfNeeded: builder.lastClock.rawValue &- builder.firstClock.rawValue))
            output.chunk(detached)
            result.append(output.bytes + plain)
            let draft = BlockDraft(
                organisation: FuzzWorld.organisation, channel: "org", replica: FuzzWorld.replicas[0], officer: "",
                firstCounter: 1, previous: .zero, schemaVersion: 1, isGroupStart: true, isGroupEnd: true)
            var again = BodyMaker(FuzzInput(choices))
            let block = try BlockCodec().seal(
                again.body(pins: [], ownCounter: 0), as: draft, key: FuzzWorld.devices[0])
            result.append([1] + (try WireCoding.encode(block.wire)))
        }
        return result
    }
}
