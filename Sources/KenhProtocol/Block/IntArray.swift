import KenhMerge

/// An array of unsigned 64-bit numbers whose length the reader knows already:
///
///     ints(0) := nothing
///     ints(n) := 0x00 value varint                      all the same
///              | 0x01 n × varint                        as they are
///              | 0x02 first varint, n−1 × zigzag varint  differences, wrapping at 64 bits
extension ByteWriter {
    mutating func ints(_ values: [UInt64]) {
        guard let first = values.first else { return }
        var plain = 0
        var delta = 0
        var constant = true
        var previous = first
        for value in values {
            plain += Self.varintLength(value)
            delta += Self.varintLength(Int64(bitPattern: value &- previous).zigzag)
            constant = constant && value == first
            previous = value
        }
        if constant {
            byte(0)
            varint(first)
        } else if plain <= delta {
            byte(1)
            for value in values { varint(value) }
        } else {
            byte(2)
            deltas(values)
        }
    }

    private mutating func deltas(_ values: [UInt64]) {
        var previous = values[0]
        varint(previous)
        for value in values.dropFirst() {
            varint(Int64(bitPattern: value &- previous).zigzag)
            previous = value
        }
    }

    private static func varintLength(_ value: UInt64) -> Int {
        value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7
    }
}

extension ByteReader {
    mutating func ints(_ count: Int) throws(MalformedBytes) -> [UInt64] {
        guard count > 0 else { return [] }
        switch try byte() {
        case 0:
            return [UInt64](repeating: try varint(), count: count)
        case 1:
            guard count <= remaining else { throw MalformedBytes("cut short", at: offset) }
            var values: [UInt64] = []
            values.reserveCapacity(count)
            for _ in 0..<count { values.append(try varint()) }
            return values
        case 2:
            guard count <= remaining else { throw MalformedBytes("cut short", at: offset) }
            var values: [UInt64] = []
            values.reserveCapacity(count)
            var value = try varint()
            values.append(value)
            for _ in 1..<count {
                value = value &+ UInt64(bitPattern: try signed())
                values.append(value)
            }
            return values
        default:
            throw MalformedBytes("unknown form of numbers", at: offset)
        }
    }

    /// Numbers of which each is at most `limit`.
    mutating func ints(_ count: Int, upTo limit: UInt64) throws(MalformedBytes) -> [UInt64] {
        let values = try ints(count)
        for value in values where value > limit { throw MalformedBytes("\(value) is over \(limit)", at: offset) }
        return values
    }
}
