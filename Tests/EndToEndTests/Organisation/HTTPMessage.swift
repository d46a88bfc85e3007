import Foundation

/// A whole request or answer at the beginning of a stream, as far as cutting it to measure needs to know it.
struct HTTPMessage {
    /// Bytes up to and with the empty line.
    let headCount: Int
    let bodyCount: Int
    private let body: ArraySlice<UInt8>
    private let head: String

    var count: Int { headCount + bodyCount }

    /// Nil while the message is not whole, or has no Content-Length.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        head = String(decoding: bytes[..<end.upperBound], as: UTF8.self)
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        guard let length = line?.split(separator: ":").last.flatMap({ Int($0.filter(\.isNumber)) }),
            bytes.count >= end.upperBound + length
        else { return nil }
        headCount = end.upperBound
        bodyCount = length
        body = bytes[end.upperBound..<end.upperBound + length]
    }

    /// Offsets in the stream of a header's value.
    func value(of name: String) -> Range<Int>? {
        let bytes = Array(head.utf8)
        var start = 0
        for line in head.components(separatedBy: "\r\n") {
            let count = line.utf8.count
            if line.lowercased().hasPrefix(name + ":") { return start + name.utf8.count + 2..<start + count }
            start += count + 2
            guard start < bytes.count else { return nil }
        }
        return nil
    }

    /// Offsets in the stream at which the members of a Protocol Buffers field begin, and where the last one ends.
    func boundaries(ofField number: Int) -> [Int] {
        var found: [Int] = []
        var place = body.startIndex
        while place < body.endIndex {
            let start = place
            guard let key = Self.varint(body, &place), Self.skip(key & 7, body, &place) else { return found }
            guard key >> 3 == number else { continue }
            if found.last != start { found.append(start) }
            found.append(place)
        }
        return found
    }

    private static func varint(_ bytes: ArraySlice<UInt8>, _ place: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, to: 56, by: 7) {
            guard place < bytes.endIndex else { return nil }
            let byte = bytes[place]
            place += 1
            value |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private static func skip(_ kind: Int, _ bytes: ArraySlice<UInt8>, _ place: inout Int) -> Bool {
        switch kind {
        case 0: return varint(bytes, &place) != nil
        case 1: place += 8
        case 2:
            guard let count = varint(bytes, &place) else { return false }
            place += count
        case 5: place += 4
        default: return false
        }
        return place <= bytes.endIndex
    }
}
