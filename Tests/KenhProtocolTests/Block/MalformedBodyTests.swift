import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct MalformedBodyTests {
    private static func changed(_ change: (inout PlainBody) -> Void) -> PlainBody {
        var body = PlainBody()
        change(&body)
        return body
    }

    /// Whether a reader takes it; any error but the protocol's own is a fault of the test.
    private func isTaken(_ body: PlainBody, count: Int = 1, detached: [UInt8] = []) throws -> Bool {
        do {
            _ = try SampleBlock.open(plain: body.bytes, count: count, detached: detached)
            return true
        } catch let error as ProtocolError {
            #expect(error.code == .malformed, "\(error)")
            return false
        }
    }

    static let good: [(what: String, body: PlainBody)] = [
        ("one NULL", changed { _ in }),
        ("an insert without columns", changed { ($0.tables, $0.masks, $0.streams) = (PlainBody.list([PlainBody.table("t", columns: [])]), PlainBody.constant(0), []) }),
        ("an integer", changed { $0.streams = PlainBody.constant(1) + PlainBody.constant(5) }),
        ("plain and delta forms", changed { ($0.kinds, $0.tableRefs) = (PlainBody.plain([0]), PlainBody.deltas([0])) }),
        ("a real by its bits", changed { $0.streams = PlainBody.constant(2) + [0] + Double.pi.bitPattern.bigEndianBytes.reversed() }),
        ("a real by its scale", changed { $0.streams = PlainBody.constant(2) + [10] + PlainBody.constant(3) }),
        ("a text", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(2) + Array("ab".utf8) }),
        ("a text that is all prefix", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("đ") + PlainBody.constant(0) }),
        ("a blob", changed { $0.streams = PlainBody.constant(4) + PlainBody.constant(1) + [0] }),
        ("a hex id", changed { $0.ids = [1] + [UInt8](repeating: 0xab, count: 16) }),
        ("a pin", changed {
            $0.pins = PlainBody.list([PlainBody.pin(1), PlainBody.pin(2)])
            ($0.predecessorCounts, $0.predecessorRefs) = (PlainBody.constant(1), PlainBody.constant(2))
            $0.predecessorCounters = PlainBody.constant(9)
        }),
        ("two pins of one cloned replica", changed {
            $0.pins = PlainBody.list([PlainBody.pin(1, hash: 1), PlainBody.pin(1, hash: 2)])
        }),
    ]

    @Test("bodies written by hand after the format are read", arguments: good.indices)
    func handWritten(_ at: Int) throws {
        #expect(try isTaken(Self.good[at].body), "\(Self.good[at].what)")
    }

    static let bad: [(what: String, body: PlainBody)] = [
        ("nothing", changed { body in
            body.version = []
            body.tables = []
        }),
        ("another version", changed { $0.version = [2] }),
        ("no tables", changed { $0.tables = PlainBody.list([]) }),
        ("tables in the wrong order", changed { $0.tables = PlainBody.list([PlainBody.table("u", columns: []), PlainBody.table("t", columns: ["c"])]) }),
        ("a table twice", changed { $0.tables = PlainBody.list([PlainBody.table("t", columns: ["c"]), PlainBody.table("t", columns: [])]) }),
        ("a column twice", changed { ($0.tables, $0.masks, $0.streams) = (PlainBody.list([PlainBody.table("t", columns: ["c", "c"])]), PlainBody.constant(3), PlainBody.constant(0) + PlainBody.constant(0)) }),
        ("a name that is empty", changed { $0.tables = PlainBody.list([PlainBody.table("", columns: ["c"])]) }),
        ("a name that is none", changed { $0.tables = PlainBody.list([PlainBody.table("t\"; --", columns: ["c"])]) }),
        ("a name that is too long", changed { $0.tables = PlainBody.list([PlainBody.table(String(repeating: "t", count: 65), columns: ["c"])]) }),
        ("an unknown type of id", changed { $0.tables = PlainBody.list([PlainBody.table("t", idType: 2, columns: ["c"])]) }),
        ("too many tables", changed { $0.tables = PlainBody.varint(1025) }),
        ("too many columns", changed { $0.tables = PlainBody.list([PlainBody.table("t", columns: (0..<64).map { "c\($0)" })]) }),
        ("pins in the wrong order", changed { $0.pins = PlainBody.list([PlainBody.pin(2), PlainBody.pin(1)]) }),
        ("a pin twice", changed { $0.pins = PlainBody.list([PlainBody.pin(1), PlainBody.pin(1)]) }),
        ("a pin of counter 0", changed { $0.pins = PlainBody.list([PlainBody.pin(1, counter: 0)]) }),
        ("too many pins", changed { $0.pins = PlainBody.varint(65_537) }),
        ("an unknown kind", changed { $0.kinds = PlainBody.constant(3) }),
        ("an unknown form of numbers", changed { $0.kinds = [3, 0] }),
        ("a varint that is not the shortest", changed { $0.kinds = [0, 0x80, 0] }),
        ("a varint of over 64 bits", changed { $0.clocks = [0] + [UInt8](repeating: 0xff, count: 9) + [2] }),
        ("a table that is not there", changed { $0.tableRefs = PlainBody.constant(1) }),
        ("an empty id", changed { $0.ids = [0] + PlainBody.constant(0) }),
        ("an id that is too long", changed { $0.ids = [0] + PlainBody.constant(65_537) + [UInt8](repeating: 0x61, count: 65_537) }),
        ("an id with NUL", changed { $0.ids = [0] + PlainBody.constant(1) + [0] }),
        ("an id that is no UTF-8", changed { $0.ids = [0] + PlainBody.constant(1) + [0xff] }),
        ("an unknown form of ids", changed { $0.ids = [2] + PlainBody.constant(1) + [0x61] }),
        ("an id cut short", changed { $0.ids = [0] + PlainBody.constant(60_000) }),
        ("clocks above the header's", changed { $0.clocks = PlainBody.constant(1) }),
        ("a clock out of range", changed { $0.clocks = PlainBody.constant(.max) }),
        ("a mask beyond the columns", changed { $0.masks = PlainBody.constant(2) }),
        ("a mask of all bits", changed { $0.masks = PlainBody.constant(.max) }),
        ("a column without values", changed { ($0.masks, $0.streams) = (PlainBody.constant(0), []) }),
        ("an update of nothing", changed { ($0.kinds, $0.masks, $0.streams, $0.tables) = (PlainBody.constant(1), PlainBody.constant(0), [], PlainBody.list([PlainBody.table("t", columns: [])])) }),
        ("too many predecessors", changed { $0.predecessorCounts = PlainBody.constant(1_048_577) }),
        ("a predecessor on a line that is not there", changed { ($0.predecessorCounts, $0.predecessorRefs, $0.predecessorCounters) = (PlainBody.constant(1), PlainBody.constant(1), PlainBody.constant(1)) }),
        ("a predecessor of counter 0", changed {
            $0.pins = PlainBody.list([PlainBody.pin(1)])
            ($0.predecessorCounts, $0.predecessorRefs, $0.predecessorCounters) = (PlainBody.constant(1), PlainBody.constant(1), PlainBody.constant(0))
        }),
        ("a predecessor above its pin", changed {
            $0.pins = PlainBody.list([PlainBody.pin(1)])
            ($0.predecessorCounts, $0.predecessorRefs, $0.predecessorCounters) = (PlainBody.constant(1), PlainBody.constant(1), PlainBody.constant(10))
        }),
        ("a change that names itself", changed { ($0.predecessorCounts, $0.predecessorRefs, $0.predecessorCounters) = (PlainBody.constant(1), PlainBody.constant(0), PlainBody.constant(1)) }),
        ("an unknown type of value", changed { $0.streams = PlainBody.constant(6) }),
        ("an unknown form of reals", changed { $0.streams = PlainBody.constant(2) + [11] + PlainBody.constant(0) }),
        ("NaN", changed { $0.streams = PlainBody.constant(2) + [0] + Double.nan.bitPattern.bigEndianBytes.reversed() }),
        ("infinity", changed { $0.streams = PlainBody.constant(2) + [0] + Double.infinity.bitPattern.bigEndianBytes.reversed() }),
        ("a text with NUL", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(1) + [0] }),
        ("a text that is no UTF-8", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(2) + [0xc3, 0x28] }),
        ("a surrogate", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(3) + [0xed, 0xa0, 0x80] }),
        ("an overlong text", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(2) + [0xc0, 0x80] }),
        ("a prefix that is no UTF-8", changed { $0.streams = PlainBody.constant(3) + [1, 0xff] + PlainBody.constant(0) }),
        ("a text cut short", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(9) + [0x61] }),
        ("a text that is too long", changed { $0.streams = PlainBody.constant(3) + PlainBody.text("") + PlainBody.constant(1 << 25) }),
        ("a commitment without its value", changed { $0.streams = PlainBody.constant(5) + [UInt8](repeating: 1, count: 32) }),
        ("trailing bytes", changed { $0.trailing = [0] }),
    ]

    @Test("whatever does not follow the format is refused", arguments: bad.indices)
    func refused(_ at: Int) throws {
        #expect(try !isTaken(Self.bad[at].body), "\(Self.bad[at].what)")
    }

    @Test("a body is refused whose header counts otherwise")
    func wrongCount() throws {
        let body = PlainBody()
        let two = Self.changed {
            $0.ids = [0] + PlainBody.constant(1) + Array("xy".utf8)
            $0.streams = PlainBody.plain([1, 1]) + PlainBody.plain([3, 4])
        }
        #expect(try isTaken(body) && isTaken(two, count: 2))
        #expect(try !isTaken(body, count: 2))
        #expect(try !isTaken(two, count: 1))
        #expect(try !isTaken(two, count: 3))
    }

    @Test("clocks that do not reach the header's are refused")
    func wrongClocks() throws {
        let plain = PlainBody().bytes
        let frame = try Zstandard().compress(plain)
        let header = SampleBlock.header(plain: plain, frame: frame, last: HybridClock.sample.next)
        #expect(throws: ProtocolError.self) {
            try BlockCodec().open(SampleBlock.block(header, frame: frame))
        }
    }

    @Test("detached values that nothing commits to are refused")
    func uncommitted() throws {
        let erased = DetachedSection(items: [.erased]).encoded
        #expect(try !isTaken(PlainBody(), detached: erased))
        let body = Self.changed { $0.streams = PlainBody.constant(5) + [UInt8](repeating: 1, count: 32) }
        #expect(try isTaken(body, detached: erased))
        #expect(try !isTaken(body, detached: [1, 2]))
        #expect(try !isTaken(body, detached: [0]))
        #expect(try !isTaken(body, detached: erased + [0]))
        let wrong = DetachedSection(items: [.present(salt: [UInt8](repeating: 0, count: 16), value: "v")]).encoded
        #expect(try !isTaken(body, detached: wrong))
    }

    @Test("a committed value is checked like any other", arguments: [.text([0xff]), .text([0]), .real(.nan)] as [Value])
    func committedValues(_ value: Value) throws {
        let salt = [UInt8](repeating: 3, count: 16)
        let commitment = Erasable.commitment(to: value, salt: salt)
        let body = Self.changed { $0.streams = PlainBody.constant(5) + commitment.bytes }
        let section = DetachedSection(items: [.present(salt: salt, value: value)])
        #expect(try !isTaken(body, detached: section.encoded))
    }

    @Test("a few bytes that would be written out to gigabytes are refused before they are")
    func expandingTexts() throws {
        let count = Limits.changesPerBlock
        let prefix = String(repeating: "x", count: 16_384)
        let body = Self.changed {
            $0.ids = [1] + [UInt8](repeating: 7, count: count * 16)
            $0.streams = PlainBody.constant(3) + PlainBody.text(prefix) + PlainBody.constant(0)
        }
        #expect(try !isTaken(body, count: count))
    }

    @Test("texts of many columns together have one bound")
    func expandingColumns() throws {
        let count = 4096
        let columns = (0..<60).map { "c\($0)" }
        let body = Self.changed {
            $0.tables = PlainBody.list([PlainBody.table("t", columns: columns)])
            $0.ids = [1] + [UInt8](repeating: 7, count: count * 16)
            $0.masks = PlainBody.constant(1 << 60 - 1)
            let stream = PlainBody.constant(3) + PlainBody.text(String(repeating: "x", count: 4096)) + PlainBody.constant(0)
            $0.streams = columns.flatMap { _ in stream }
        }
        #expect(try !isTaken(body, count: count))
    }
}
