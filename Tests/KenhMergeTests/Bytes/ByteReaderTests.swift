import KenhMerge
import KenhTesting
import Testing

@Suite struct ByteReaderTests {
    private func varint(_ bytes: [UInt8]) throws(MalformedBytes) -> UInt64 {
        let result = bytes.withUnsafeBytes { buffer -> Result<UInt64, MalformedBytes> in
            var reader = ByteReader(buffer)
            return Result { () throws(MalformedBytes) in try reader.varint() }
        }
        return try result.get()
    }

    @Test(
        "A varint has as few bytes as its number needs",
        arguments: [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (1 << 63, 10), (.max, 10)]
            as [(UInt64, Int)])
    func lengths(number: UInt64, length: Int) throws {
        var writer = ByteWriter()
        writer.varint(number)
        #expect(writer.bytes.count == length)
        #expect(try varint(writer.bytes) == number)
    }

    @Test(
        "A varint that is not the shortest is refused",
        arguments: [[0x80, 0], [0x81, 0], [0xFF, 0x80, 0]] as [[UInt8]])
    func shortestOnly(bytes: [UInt8]) {
        #expect(throws: MalformedBytes.self) { try varint(bytes) }
    }

    @Test("A varint over 64 bits is refused")
    func tooLong() {
        let nines = Array(repeating: UInt8(0xFF), count: 9)
        #expect(throws: MalformedBytes.self) { try varint(nines + [2]) }
        #expect(throws: MalformedBytes.self) { try varint(nines + [0x81, 0]) }
        #expect(throws: MalformedBytes.self) { try varint(nines + [0x80, 1]) }
        #expect(throws: MalformedBytes.self) { try varint(nines) }
        #expect(throws: MalformedBytes.self) { try varint([]) }
    }

    @Test(
        "Signed numbers come back, small ones of either sign in one byte",
        arguments: [(0, 1), (-1, 1), (1, 1), (-64, 1), (63, 1), (64, 2), (-65, 2), (.min, 10), (.max, 10)]
            as [(Int64, Int)])
    func signed(number: Int64, length: Int) throws {
        var writer = ByteWriter()
        writer.signed(number)
        #expect(Int64(zigzag: try varint(writer.bytes)) == number)
        #expect(writer.bytes.count == length)
    }

    @Test("Nothing is read past the end, and a count over its limit is refused")
    func ends() {
        [3, 1, 2].withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<3]))
            #expect(throws: MalformedBytes.self) { _ = try reader.prefixed(upTo: 10) }
            reader.offset = 0
            #expect(throws: MalformedBytes.self) { _ = try reader.count(upTo: 2) }
            reader.offset = 0
            #expect(throws: MalformedBytes.self) { _ = try reader.skip(-1) }
            #expect(throws: MalformedBytes.self) { _ = try reader.raw(4) }
            #expect(throws: MalformedBytes.self) { _ = try reader.fixed64() }
            #expect(reader.offset == 0 && reader.remaining == 3)
        }
    }

    @Test("What is written is read again, whatever the order of kinds")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.fixed64(0x0102_0304_0506_0708)
        writer.prefixed([9, 9])
        writer.byte(7)
        writer.varint(300)
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            let (fixed, prefixed) = (try reader.fixed64(), Array(try reader.prefixed(upTo: 2)))
            let (byte, count) = (try reader.byte(), try reader.count(upTo: 300))
            #expect(fixed == 0x0102_0304_0506_0708 && prefixed == [9, 9])
            #expect(byte == 7 && count == 300)
            #expect(reader.isAtEnd)
        }
    }

    @Test("Hex goes both ways and refuses odd lengths and other characters")
    func hex() {
        #expect([0x00, 0xAB, 0xFF].hex == "00abff")
        #expect([UInt8](hex: "00ABff") == [0, 0xAB, 0xFF])
        #expect([UInt8](hex: "") == [])
        #expect([UInt8](hex: "abc") == nil && [UInt8](hex: "zz") == nil && [UInt8](hex: "đ") == nil)
    }
}
