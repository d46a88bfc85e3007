import KenhMerge
import Testing

@Suite struct ValueTests {
    @Test("NFC and NFD are different values")
    func normalForms() {
        #expect(Value.text("\u{E9}") != Value.text("e\u{301}"))
        #expect(Value.text("kênh") == Value.text("kênh"))
    }

    @Test("Zero and minus zero are different values")
    func zeros() {
        #expect(Value.real(0.0) != Value.real(-0.0))
        #expect(Value.real(-0.0) == Value.real(-0.0))
    }

    @Test("An integer is never equal to a real, a text never to a blob, NULL to nothing else")
    func types() {
        #expect(Value.integer(1) != Value.real(1))
        #expect(Value.text([1]) != Value.blob([1]))
        #expect(Value.text("1") != Value.integer(1))
        #expect(Value.null == Value.null)
        #expect(Value.null != Value.text("") && Value.null != Value.integer(0) && Value.null != Value.blob([]))
    }

    @Test("Different values are different members of a set")
    func hashing() {
        let values: Set<Value> = [nil, 0, 0.0, .real(-0.0), "", .blob([]), "\u{E9}", "e\u{301}", 1, 1.0]
        #expect(values.count == 10)
    }

    @Test("Only a text has a string")
    func strings() {
        #expect(Value.text("đ").string == "đ")
        #expect(Value.integer(1).string == nil && Value.blob([0x61]).string == nil && Value.null.string == nil)
    }

    @Test(
        "Every value comes back from its bytes as it was",
        arguments: [
            nil, .integer(.min), .integer(.max), -1, 0, .real(-0.0), .real(.leastNonzeroMagnitude),
            .real(.greatestFiniteMagnitude), "", "e\u{301}", "đường dẫn", .text([0xFF, 0xFE]), .blob([]),
            .blob(Array(repeating: 0, count: 300)),
        ] as [Value])
    func bytes(value: Value) throws {
        var writer = ByteWriter()
        writer.value(value)
        let (read, isAtEnd) = try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return (try reader.value(), reader.isAtEnd)
        }
        #expect(read == value)
        #expect(isAtEnd)
    }

    @Test("An unknown tag and a commitment without its value are refused", arguments: [5, 6, 0xFF] as [UInt8])
    func unknownTags(tag: UInt8) {
        #expect(throws: MalformedBytes.self) {
            try [tag, 0].withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                _ = try reader.value()
            }
        }
    }
}
