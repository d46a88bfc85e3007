import KenhMerge

/// Rules for the 32 bytes of a point: y in little-endian order, x's sign in the top bit.
enum EdwardsEncoding {
    /// Whether y is below p = 2^255 − 19. A point encoded with a larger y would be the same key under another name.
    static func isCanonical(_ bytes: [UInt8]) -> Bool {
        let isTopAllOnes = bytes[31] & 0x7f == 0x7f && bytes[1...30].allSatisfy { $0 == 0xff }
        return !(isTopAllOnes && bytes[0] >= 0xed)
    }

    /// Whether y belongs to one of the eight points whose order divides 8, under which one signature fits many
    /// messages.
    static func isSmallOrder(_ bytes: [UInt8]) -> Bool {
        var y = bytes
        y[31] &= 0x7f
        return smallOrder.contains(y)
    }

    // Each y stands with either sign of x. That makes the eight points, and the two encodings that give x = 0 a minus
    // (of y = 1 and y = −1). The four others that some decoders take, y = p and y = p + 1, are not canonical.
    private static let smallOrder: Set<[UInt8]> = [
        [UInt8](repeating: 0, count: 32),  // y = 0, order 4
        [1] + [UInt8](repeating: 0, count: 31),  // y = 1, order 1
        [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],  // y = −1, order 2
        // The two y of order 8: d·y⁴ + 2y² = 1.
        constant("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        constant("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ]

    private static func constant(_ hex: String) -> [UInt8] { [UInt8](hex: hex) ?? [] }
}
