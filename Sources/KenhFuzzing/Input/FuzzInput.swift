/// A fuzzer's bytes as a source of choices. Where they end, everything is 0, so that a shorter input is a simpler one.
struct FuzzInput {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at >= bytes.count }

    mutating func byte() -> UInt8 {
        guard at < bytes.count else { return 0 }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// 0 to `bound` − 1; `bound` is 1 to 256.
    mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }

    mutating func pick<T>(_ from: [T]) -> T { from[below(from.count)] }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    /// Mostly small, and now and then at the ends of what fits.
    mutating func number() -> Int64 {
        switch byte() {
        case let small where small < 0xf0: Int64(small) - 8
        case 0xf0: .max
        case 0xf1: .min
        case 0xf2: .max - 1
        case 0xf3: Int64(UInt32.max)
        default: Int64(bitPattern: word())
        }
    }

    /// Some bytes: up to 250 by one byte of length, up to 64 Ki by three.
    mutating func chunk() -> [UInt8] {
        let first = Int(byte())
        return take(first <= 250 ? first : Int(byte()) << 8 | Int(byte()))
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(at + count, bytes.count)
        defer { at = end }
        return Array(bytes[at..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }

    /// Text as a person or a header may carry it, with whatever is no UTF-8 repaired.
    mutating func text() -> String { String(decoding: chunk(), as: UTF8.self) }
}

/// Writes what ``FuzzInput`` reads, for seeds.
struct FuzzOutput {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: Int) { bytes.append(UInt8(truncatingIfNeeded: value)) }

    mutating func chunk(_ value: [UInt8]) {
        if value.count <= 250 {
            byte(value.count)
        } else {
            byte(251)
            byte(value.count >> 8)
            byte(value.count)
        }
        bytes += value
    }

    mutating func text(_ value: String) { chunk(Array(value.utf8)) }
}
