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

    @Test("bodies written by hand after the format are read", arguments: BodyCase.good.indices)
    func handWritten(_ at: Int) throws {
        #expect(try isTaken(BodyCase.good[at].body), "\(BodyCase.good[at].what)")
    }

    @Test("whatever does not follow the format is refused", arguments: BodyCase.bad.indices)
    func refused(_ at: Int) throws {
        #expect(try !isTaken(BodyCase.bad[at].body), "\(BodyCase.bad[at].what)")
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

    @Test("an addition in a commitment is refused, an integer too, since it could be erased")
    func committedAddition() throws {
        let salt = [UInt8](repeating: 3, count: 16)
        let stream = PlainBody.constant(5) + Erasable.commitment(to: 7, salt: salt).bytes
        let section = DetachedSection(items: [.present(salt: salt, value: 7)])
        let update = Self.changed { ($0.kinds, $0.streams) = (PlainBody.constant(1), stream) }
        #expect(try isTaken(update, detached: section.encoded))
        let addition = Self.changed { ($0.kinds, $0.streams) = (PlainBody.constant(3), stream) }
        #expect(try !isTaken(addition, detached: section.encoded))
        #expect(try !isTaken(addition, detached: DetachedSection(items: [.erased]).encoded))
    }

    @Test(
        "a committed value is checked like any other", arguments: [.text([0xff]), .text([0]), .real(.nan)] as [Value])
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
            let stream =
                PlainBody.constant(3) + PlainBody.text(String(repeating: "x", count: 4096)) + PlainBody.constant(0)
            $0.streams = columns.flatMap { _ in stream }
        }
        #expect(try !isTaken(body, count: count))
    }
}
