import KenhMerge
import KenhTesting
import Testing

@Suite struct DigestTests {
    private let row = DigestHasher.name("row")
    private let columns = (0..<3).map { DigestHasher.name("column \($0)") }

    private func digest(_ writes: [Write], row: Digest128? = nil, hash: Hash256 = Hash256(1, 2, 3, 4)) -> Digest128 {
        RowState(writes: writes).digest(row: row ?? self.row, columns: columns) {
            BlockPlace(hash: hash, index: $0.counter)
        }
    }

    private func write(
        _ counter: UInt64 = 1, clock: UInt64 = 5, isRemoved: Bool = false, columns: ColumnSet = .column(0)
    ) -> Write {
        Write(
            dot: Dot(branch: 1, counter: counter), clock: HybridClock(rawValue: clock), isRemoved: isRemoved,
            columns: columns)
    }

    @Test("The order of writes and where their values are make no difference")
    func order() {
        var held = write(2)
        held.held = [HeldValue(column: 0, value: "x")]
        #expect(digest([write(1), write(2)]) == digest([held, write(1)]))
    }

    @Test("A write of two columns counts as two writes of one")
    func columnByColumn() {
        #expect(
            digest([write(columns: [.column(0), .existence])])
                == digest([write()]) + digest([write(columns: .existence)]))
    }

    @Test("Row, column, block, index, mark and clock each make a difference")
    func everythingCounts() {
        let digests: Set<Digest128> = [
            digest([]), digest([write()]), digest([write()], row: DigestHasher.name("other")),
            digest([write()], hash: Hash256(1, 3, 3, 4)), digest([write(2)]), digest([write(clock: 6)]),
            digest([write(isRemoved: true)]), digest([write(columns: .column(1))]),
            digest([write(columns: .existence)]),
        ]
        #expect(digests.count == 9)
    }

    @Test("Two equal stamps do not cancel each other out")
    func noCancelling() {
        #expect(digest([write(), write()]) != .zero)
        #expect(digest([write(), write()]) - digest([write()]) == digest([write()]))
    }

    @Test("A column that this node cannot name gives another digest instead of a trap")
    func unknownColumn() {
        let digests = Set((3..<63).map { digest([write(columns: .column($0))]) })
        #expect(digests.count == 60)
        #expect(!digests.contains(digest([write(columns: .existence)])))
    }

    @Test("Bytes count with their length, so that trailing zeros make a difference")
    func lengths() {
        var seen = Set<Digest128>()
        for count in 0..<40 {
            var hasher = DigestHasher()
            hasher.bytes(Array(repeating: UInt8(0), count: count))
            seen.insert(hasher.digest)
        }
        #expect(seen.count == 40)
    }
}
