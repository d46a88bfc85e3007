import KenhMerge
import KenhProtocol

/// Plain bodies written by hand: such as a reader takes, and such as it refuses.
struct BodyCase {
    let what: String
    let body: PlainBody

    init(_ what: String, _ change: (inout PlainBody) -> Void) {
        self.what = what
        var body = PlainBody()
        change(&body)
        self.body = body
    }

    /// The stream of the one value that the body has.
    init(_ what: String, tag: UInt64, _ parts: [UInt8]...) {
        self.init(what) { $0.streams = PlainBody.constant(tag) + parts.flatMap { $0 } }
    }

    /// A text with a prefix; `length` is that of the rest, where it is not what it should be.
    init(_ what: String, prefix: [UInt8] = [], rest: [UInt8], length: Int? = nil) {
        let lengths = PlainBody.constant(UInt64(length ?? rest.count))
        self.init(what, tag: 3, PlainBody.varint(UInt64(prefix.count)) + prefix, lengths, rest)
    }

    init(_ what: String, tables: [UInt8]...) {
        self.init(what) { $0.tables = PlainBody.list(tables) }
    }

    init(_ what: String, pins: [UInt8]...) {
        self.init(what) { $0.pins = PlainBody.list(pins) }
    }

    /// An id with these bytes, and a length that may not be theirs.
    init(_ what: String, id: [UInt8], length: Int? = nil) {
        self.init(what) { $0.ids = [0] + PlainBody.constant(UInt64(length ?? id.count)) + id }
    }

    /// One predecessor, in a body with one pin at counter 9.
    init(_ what: String, reference: UInt64, counter: UInt64) {
        self.init(what) {
            $0.pins = PlainBody.list([PlainBody.pin(1)])
            $0.predecessorCounts = PlainBody.constant(1)
            $0.predecessorRefs = PlainBody.constant(reference)
            $0.predecessorCounters = PlainBody.constant(counter)
        }
    }

    /// An update whose row is named by a birth, in a block of first counter 1 with one pin at counter 9.
    init(_ what: String, birthReference: UInt64, counter: UInt64, kind: UInt64 = 1, rest: [UInt8] = [1]) {
        self.init(what) {
            $0.pins = PlainBody.list([PlainBody.pin(1)])
            $0.kinds = PlainBody.constant(kind)
            $0.ids = [2] + PlainBody.constant(birthReference) + PlainBody.constant(counter) + rest
        }
    }

    /// A table without columns, so no values.
    init(_ what: String, kindWithoutColumns kind: UInt64) {
        self.init(what) {
            $0.tables = PlainBody.list([PlainBody.table("t", columns: [])])
            $0.kinds = PlainBody.constant(kind)
            $0.masks = PlainBody.constant(0)
            $0.streams = []
        }
    }

    /// An addition of one value.
    init(addition what: String, _ stream: [UInt8], _ change: (inout PlainBody) -> Void = { _ in }) {
        self.init(what) {
            $0.kinds = PlainBody.constant(3)
            $0.streams = stream
            change(&$0)
        }
    }

    private static func littleEndian(_ real: Double) -> [UInt8] { real.bitPattern.bigEndianBytes.reversed() }

    static let good = [
        BodyCase("one NULL") { _ in },
        BodyCase("an insert without columns", kindWithoutColumns: 0),
        BodyCase("an integer", tag: 1, PlainBody.constant(5)),
        BodyCase("plain and delta forms") { ($0.kinds, $0.tableRefs) = (PlainBody.plain([0]), PlainBody.deltas([0])) },
        BodyCase(addition: "an addition", PlainBody.constant(1) + PlainBody.constant(5)),
        BodyCase("a real by its bits", tag: 2, [0], littleEndian(.pi)),
        BodyCase("a real by its scale", tag: 2, [10], PlainBody.constant(3)),
        BodyCase("a text", rest: Array("ab".utf8)),
        BodyCase("a text that is all prefix", prefix: Array("đ".utf8), rest: []),
        BodyCase("a text cut inside a character", prefix: [0xc4], rest: [0x91]),
        BodyCase("a blob", tag: 4, PlainBody.constant(1), [0]),
        BodyCase("a hex id") { $0.ids = [1] + [UInt8](repeating: 0xab, count: 16) },
        BodyCase("a row named by a birth at its pin", birthReference: 2, counter: 9),
        BodyCase("a row named by a birth, and no id in the other form", birthReference: 2, counter: 1, rest: [0]),
        BodyCase("a predecessor at its pin", reference: 1, counter: 9),
        BodyCase("two pins of one cloned replica", pins: PlainBody.pin(1, hash: 1), PlainBody.pin(1, hash: 2)),
    ]

    static let bad = badTables + badChanges + badPredecessors + badValues + badAdditions

    private static let badTables = [
        BodyCase("another version") { $0.version = [2] },
        BodyCase("no version") { $0.version = [] },
        BodyCase("no tables") { $0.tables = PlainBody.list([]) },
        BodyCase(
            "tables in the wrong order", tables: PlainBody.table("u", columns: []), PlainBody.table("t", columns: ["c"])
        ),
        BodyCase("a table twice", tables: PlainBody.table("t", columns: ["c"]), PlainBody.table("t", columns: [])),
        BodyCase("a column twice") {
            $0.tables = PlainBody.list([PlainBody.table("t", columns: ["c", "c"])])
            $0.masks = PlainBody.constant(3)
            $0.streams += $0.streams
        },
        BodyCase("a name that is empty", tables: PlainBody.table("", columns: ["c"])),
        BodyCase("a name that is none", tables: PlainBody.table("t\"; --", columns: ["c"])),
        BodyCase("a name that is too long", tables: PlainBody.table(String(repeating: "t", count: 65), columns: ["c"])),
        BodyCase("an unknown type of id", tables: PlainBody.table("t", idType: 2, columns: ["c"])),
        BodyCase("too many tables") { $0.tables = PlainBody.varint(1025) },
        BodyCase("too many columns", tables: PlainBody.table("t", columns: (0..<64).map { "c\($0)" })),
        BodyCase("pins in the wrong order", pins: PlainBody.pin(2), PlainBody.pin(1)),
        BodyCase("a pin twice", pins: PlainBody.pin(1), PlainBody.pin(1)),
        BodyCase("a pin of counter 0", pins: PlainBody.pin(1, counter: 0)),
        BodyCase("too many pins") { $0.pins = PlainBody.varint(65_537) },
    ]

    private static let badChanges = [
        BodyCase("an unknown kind") { $0.kinds = PlainBody.constant(4) },
        BodyCase("an unknown form of numbers") { $0.kinds = [3, 0] },
        BodyCase("a varint that is not the shortest") { $0.kinds = [0, 0x80, 0] },
        BodyCase("a varint of over 64 bits") { $0.clocks = [0] + [UInt8](repeating: 0xff, count: 9) + [2] },
        BodyCase("a table that is not there") { $0.tableRefs = PlainBody.constant(1) },
        BodyCase("an empty id", id: []),
        BodyCase("an id that is too long", id: [UInt8](repeating: 0x61, count: 65_537)),
        BodyCase("an id with NUL", id: [0]),
        BodyCase("an id that is no UTF-8", id: [0xff]),
        BodyCase("an id cut short", id: [], length: 60_000),
        BodyCase("an unknown form of ids") { $0.ids[0] = 3 },
        BodyCase("an insert that is named by a birth", birthReference: 2, counter: 9, kind: 0),
        BodyCase("a birth above its pin", birthReference: 2, counter: 10),
        BodyCase("a birth of counter 0", birthReference: 2, counter: 0),
        BodyCase("a birth on the block's own line that is not before it", birthReference: 1, counter: 1),
        BodyCase("a birth on a line that is not there", birthReference: 3, counter: 1),
        BodyCase("a row that is named by a birth twice", birthReference: 2, counter: 9, rest: [2]),
        BodyCase("a birth and an id beside it", birthReference: 2, counter: 9, rest: [0, 0, 1]),
        BodyCase("the form of births without one") {
            $0.ids = [2] + PlainBody.constant(0) + [0] + PlainBody.constant(1) + Array("x".utf8)
        },
        BodyCase("clocks above the header's") { $0.clocks = PlainBody.constant(1) },
        BodyCase("a clock out of range") { $0.clocks = PlainBody.constant(.max) },
        BodyCase("a mask beyond the columns") { $0.masks = PlainBody.constant(2) },
        BodyCase("a mask of all bits") { $0.masks = PlainBody.constant(.max) },
        BodyCase("a column without values") { ($0.masks, $0.streams) = (PlainBody.constant(0), []) },
        BodyCase("an update of nothing", kindWithoutColumns: 1),
        BodyCase("an addition to nothing", kindWithoutColumns: 3),
        BodyCase("trailing bytes") { $0.trailing = [0] },
    ]

    private static let badPredecessors = [
        BodyCase("too many predecessors") { $0.predecessorCounts = PlainBody.constant(1_048_577) },
        BodyCase("a predecessor on a line that is not there", reference: 2, counter: 1),
        BodyCase("a predecessor of counter 0", reference: 1, counter: 0),
        BodyCase("a predecessor above its pin", reference: 1, counter: 10),
        BodyCase("a change that names itself", reference: 0, counter: 1),
        BodyCase("a change that names a later one", reference: 0, counter: .max),
    ]

    private static let badAdditions = [
        BodyCase(addition: "an addition of NULL", PlainBody.constant(0)),
        BodyCase(addition: "an addition of a real", PlainBody.constant(2) + [0] + littleEndian(1)),
        BodyCase(
            addition: "an addition of a text", PlainBody.constant(3) + PlainBody.text("1") + PlainBody.constant(0)),
        BodyCase(addition: "an addition of a blob", PlainBody.constant(4) + PlainBody.constant(1) + [1]),
        BodyCase(addition: "an addition that names another", PlainBody.constant(1) + PlainBody.constant(5)) {
            $0.pins = PlainBody.list([PlainBody.pin(1)])
            $0.predecessorCounts = PlainBody.constant(1)
            $0.predecessorRefs = PlainBody.constant(1)
            $0.predecessorCounters = PlainBody.constant(9)
        },
    ]

    private static let badValues = [
        BodyCase("an unknown type of value", tag: 6),
        BodyCase("an unknown form of reals", tag: 2, [11], PlainBody.constant(0)),
        BodyCase("NaN", tag: 2, [0], littleEndian(.nan)),
        BodyCase("infinity", tag: 2, [0], littleEndian(-.infinity)),
        BodyCase("a text with NUL", rest: [0]),
        BodyCase("a text that is no UTF-8", rest: [0xc3, 0x28]),
        BodyCase("a surrogate", rest: [0xed, 0xa0, 0x80]),
        BodyCase("an overlong character", rest: [0xc0, 0x80]),
        BodyCase("a character beyond Unicode", rest: [0xf4, 0x90, 0x80, 0x80]),
        BodyCase("a prefix that is no UTF-8", prefix: [0xff], rest: []),
        BodyCase("a text cut short", rest: [0x61], length: 9),
        BodyCase("a text that is too long", rest: [], length: 1 << 25),
        BodyCase("a blob cut short", tag: 4, PlainBody.constant(9), [0]),
        BodyCase("a commitment without its value", tag: 5, [UInt8](repeating: 1, count: 32)),
        BodyCase("a commitment cut short", tag: 5, [UInt8](repeating: 1, count: 31)),
    ]
}
