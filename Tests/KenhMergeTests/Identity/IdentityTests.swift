import KenhMerge
import KenhTesting
import Testing

@Suite struct IdentityTests {
    @Test("A replica's id is 16 bytes, no more and no fewer", arguments: [0, 15, 17, 32])
    func replicaLength(count: Int) {
        #expect(ReplicaID(bytes: Array(repeating: 1, count: count)) == nil)
    }

    @Test("A hash is 32 bytes and its prefix 16", arguments: [0, 15, 17, 31, 33])
    func hashLength(count: Int) {
        let bytes = Array(repeating: UInt8(1), count: count)
        #expect(Hash256(bytes: bytes) == nil)
        #expect(HashPrefix(bytes: bytes) == nil)
    }

    @Test("Ids and hashes come back from their bytes, also from a slice")
    func parsing() {
        let bytes = (0..<40).map { UInt8(truncatingIfNeeded: $0 * 7) }
        #expect(ReplicaID(bytes: bytes[3..<19])?.bytes == Array(bytes[3..<19]))
        #expect(Hash256(bytes: bytes[5..<37])?.bytes == Array(bytes[5..<37]))
        #expect(Hash256(bytes: bytes[5..<37])?.prefix.bytes == Array(bytes[5..<21]))
        #expect(HashPrefix(bytes: bytes[5..<21])?.bytes == Array(bytes[5..<21]))
        #expect(Digest128(bytes: bytes[1..<17])?.bytes == Array(bytes[1..<17]))
        #expect(Digest128(bytes: bytes[1..<16]) == nil)
    }

    @Test("Order is the order of the bytes")
    func order() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let a = Hash256(generator.next() & 1, generator.next() & 1, generator.next() & 1, generator.next())
            let b = Hash256(generator.next() & 1, generator.next() & 1, generator.next() & 1, generator.next())
            #expect((a < b) == a.bytes.lexicographicallyPrecedes(b.bytes))
            #expect((a.prefix < b.prefix) == a.prefix.bytes.lexicographicallyPrecedes(b.prefix.bytes))
            let (x, y) = (ReplicaID(high: a.words.0, low: a.words.3), ReplicaID(high: b.words.0, low: b.words.3))
            #expect((x < y) == x.bytes.lexicographicallyPrecedes(y.bytes))
            #expect(!(a < a) && !(x < x))
        }
    }

    @Test("A high byte counts as a high number, not as a negative one")
    func unsigned() {
        #expect(ReplicaID(high: 1, low: 0) < ReplicaID(high: 1 << 63, low: 0))
        #expect(Hash256.zero < Hash256(0, 0, 0, 1 << 63))
    }

    @Test("Hashes that differ only in their last byte are different")
    func equality() {
        #expect(Hash256(1, 2, 3, 4) != Hash256(1, 2, 3, 5))
        #expect(Set([Hash256(1, 2, 3, 4), Hash256(1, 2, 3, 5)]).count == 2)
    }

    @Test("Random ids follow the generator that was given")
    func random() {
        var (a, b) = (SeededGenerator(seed: 5), SeededGenerator(seed: 5))
        #expect(ReplicaID.random(using: &a) == ReplicaID.random(using: &b))
        #expect(ReplicaID.random(using: &a) != ReplicaID.random(using: &a))
    }
}
