/// Every text that differs from this one in a single bit of its UTF-8 bytes; where that is no UTF-8, with U+FFFD.
func singleBitChanges(of text: String) -> [String] {
    let bytes = Array(text.utf8)
    return (0..<bytes.count * 8).map { bit in
        var changed = bytes
        changed[bit / 8] ^= 1 << UInt8(bit % 8)
        return String(decoding: changed, as: UTF8.self)
    }
}
