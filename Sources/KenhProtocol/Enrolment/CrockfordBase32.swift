/// Crockford's base32: digits and letters without I, L, O and U, five bits a character, most significant first.
enum CrockfordBase32 {
    static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// - Parameter bytes: a multiple of five of them, so that no bits are left over.
    static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var bits: UInt32 = 0
        var held = 0
        var text: [UInt8] = []
        for byte in bytes {
            bits = (bits << 8 | UInt32(byte)) & 0xffff
            held += 8
            while held >= 5 {
                held -= 5
                text.append(character(bits >> UInt32(held)))
            }
        }
        return text
    }

    static func decode(_ values: some Collection<UInt8>) -> [UInt8] {
        var bits: UInt32 = 0
        var held = 0
        var bytes: [UInt8] = []
        for value in values {
            bits = (bits << 5 | UInt32(value)) & 0xffff
            held += 5
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        return bytes
    }

    /// The character for the low five bits.
    static func character(_ bits: UInt32) -> UInt8 { alphabet[Int(bits & 31)] }

    /// 0 to 31, in either case, with O read as 0, I and L as 1; nil for anything else.
    static func value(of scalar: Unicode.Scalar) -> UInt8? {
        switch scalar {
        case "O", "o": 0
        case "I", "i", "L", "l": 1
        case "a"..."z": index(of: UInt8(ascii: scalar) - 32)
        default: scalar.isASCII ? index(of: UInt8(ascii: scalar)) : nil
        }
    }

    private static func index(of character: UInt8) -> UInt8? {
        alphabet.firstIndex(of: character).map { UInt8($0) }
    }
}
