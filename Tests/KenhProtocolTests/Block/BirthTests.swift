import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// Rows that are named by the dots of their inserts.
@Suite struct BirthTests {
    private static let table = SampleBody.Table(name: "item", idType: .text, columns: ["note"])
    private static let other = SampleBody.Table(name: "other", idType: .text, columns: ["note"])

    private static func change(
        _ kind: ChangeKind, _ id: String, table: String = "item", birth: SampleChange.Predecessor? = nil
    ) -> SampleChange {
        SampleChange(
            kind: kind, table: table, id: .text(id), clock: .sample, values: kind == .delete ? [:] : ["note": "x"],
            predecessors: [], birth: birth)
    }

    private static func births(_ changes: [SampleChange]) throws -> BlockBirths {
        try BlockCodec().births(of: SampleBlock.seal(SampleBody(tables: [table, other], changes: changes)))
    }

    private static func naming(_ count: Int = 1, table: String = "item") throws -> BlockBody {
        let changes = (0..<count).map { change(.update, "", table: table, birth: .own(UInt64($0 + 1))) }
        let sample = SampleBody(tables: [Self.table, other], changes: changes, firstCounter: 70_000)
        return try BlockCodec().open(SampleBlock.seal(sample))
    }

    @Test("a body has no id for such a row until it is named after the insert")
    func naming() throws {
        let births = try Self.births([
            Self.change(.insert, "a"), Self.change(.update, "a"), Self.change(.insert, "bc"), Self.change(.delete, "a"),
        ])
        var body = try Self.naming()
        #expect(body.births == [NamedByBirth(change: 0, birth: WireDot(reference: 0, counter: 1))])
        #expect(body.id(of: 0).isEmpty)
        try body.name(0, after: births, at: 2)
        #expect(body.id(of: 0).elementsEqual("bc".utf8))
    }

    @Test("what is no insert, of another table or not there names no row", arguments: [1, 2, 3, 4, -1])
    func nothing(_ index: Int) throws {
        let births = try Self.births([
            Self.change(.insert, "a"), Self.change(.update, "a"), Self.change(.delete, "a"),
            Self.change(.insert, "b", table: "other"),
        ])
        var body = try Self.naming()
        #expect(throws: ProtocolError.self) { try body.name(0, after: births, at: index) }
        #expect(body.id(of: 0).isEmpty)
        try body.name(0, after: births, at: 0)
        #expect(body.id(of: 0).elementsEqual("a".utf8))
    }

    @Test("a few births of long ids that would be written out to gigabytes are refused before they are")
    func expanding() throws {
        let long = try Self.births([Self.change(.insert, String(repeating: "x", count: Limits.idBytes))])
        var body = try Self.naming(4096)
        #expect(throws: ProtocolError.self) {
            for place in body.births.indices { try body.name(place, after: long, at: 0) }
        }
        #expect(body.arena.count <= Limits.arenaBytes)
    }

    @Test("a change whose birth is dropped spells its id out")
    func dropped() throws {
        let sample = SampleBody(
            tables: [Self.table],
            changes: [Self.change(.update, "first", birth: .own(1)), Self.change(.update, "second", birth: .own(2))],
            firstCounter: 3)
        let builder = sample.builder()
        builder.dropBirth(of: 0)
        let block = try BlockCodec().seal(
            builder, as: SampleBlock.draft(firstCounter: 3), key: SampleBlock.key())
        let body = try BlockCodec().open(block)
        #expect(body.id(of: 0).elementsEqual("first".utf8))
        #expect(body.births.map(\.change) == [1])
    }

    @Test("an update named by a birth takes less than half of one with its id")
    func size() throws {
        var random = SeededGenerator(seed: 4)
        let ids = (0..<1000).map { _ in (random.next().bigEndianBytes + random.next().bigEndianBytes).hex }.sorted()
        let size = { (named: Bool) in
            let changes = ids.enumerated().map { at, id in
                Self.change(.update, id, birth: named ? .own(UInt64(at + 1)) : nil)
            }
            let sample = SampleBody(tables: [Self.table], changes: changes, firstCounter: 5000)
            return try SampleBlock.seal(sample).byteCount
        }
        #expect(try size(true) * 2 < size(false))
    }
}
