/// ITEM-1: rows and updates that follow from their numbers alone, the same on every machine and in every language.
///
///     mix(z)   := SplitMix64's finish
///     H(s,i,j) := mix(((s << 48) ^ (i << 8) ^ j) + 0x9E3779B97F4A7C15 × 42), wrapping at 64 bits
///
/// Row i in version v (0 is the insert): id = H(1,i,0) and H(1,i,1) in hex; name = "n---" and H(2+v,i,0) in hex;
/// qty = H(2+v,i,1) mod 1,000,000; price = (H(2+v,i,2) mod 10,000,000) / 100; note = "note " and the last 15 hex
/// digits of H(2+v,i,3); status by H(2+v,i,4) mod 5. The k-th update touches row (k × 48271 + 11) mod N.
enum ItemWorkload {
    static let seed: UInt64 = 42
    static let statuses = ["open", "held", "paid", "shipped", "closed"]

    static func mix(_ value: UInt64) -> UInt64 {
        var z = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    static func hash(_ s: UInt64, _ i: UInt64, _ j: UInt64) -> UInt64 {
        mix((s << 48 ^ i << 8 ^ j) &+ 0x9E37_79B9_7F4A_7C15 &* seed)
    }

    static func updatedRow(_ k: Int, of count: Int) -> Int { (k * 48271 + 11) % count }

    /// Whether this program computes the workload that every other one does.
    static func isAsPublished() -> Bool {
        let row = ItemRows(count: 1, version: 0)
        return row.text(.id, 0) == "21ad4840857d035ba62346db3a290fb8" && row.text(.name, 0) == "n---58c0fd3796ea102f"
            && row.quantities[0] == 455_656 && row.prices[0] == 61490.55
            && row.text(.note, 0) == "note 4fe210eca3ccd91" && statuses[row.statuses[0]] == "shipped"
    }
}

/// All rows of one version, laid out so that a timed loop does nothing but bind them.
struct ItemRows {
    enum Text {
        case id, name, note

        var width: Int { self == .id ? 32 : 20 }
    }

    let count: Int
    private(set) var ids: [UInt8] = []
    private(set) var names: [UInt8] = []
    private(set) var notes: [UInt8] = []
    private(set) var quantities: [Int64] = []
    private(set) var prices: [Double] = []
    /// Indices of ``ItemWorkload/statuses``.
    private(set) var statuses: [Int] = []

    init(count: Int, version: UInt64) {
        self.count = count
        for i in 0..<UInt64(count) {
            let h = { (j: UInt64) in ItemWorkload.hash(2 + version, i, j) }
            Self.appendHex(ItemWorkload.hash(1, i, 0), to: &ids)
            Self.appendHex(ItemWorkload.hash(1, i, 1), to: &ids)
            names += "n---".utf8
            Self.appendHex(h(0), to: &names)
            quantities.append(Int64(h(1) % 1_000_000))
            prices.append(Double(h(2) % 10_000_000) / 100)
            notes += "note ".utf8
            Self.appendHex(h(3), digits: 15, to: &notes)
            statuses.append(Int(h(4) % 5))
        }
    }

    private static func appendHex(_ value: UInt64, digits: Int = 16, to bytes: inout [UInt8]) {
        for place in stride(from: (digits - 1) * 4, through: 0, by: -4) {
            let nibble = UInt8(value >> UInt64(place) & 15)
            bytes.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
        }
    }

    private func bytes(_ column: Text) -> [UInt8] {
        switch column {
        case .id: ids
        case .name: names
        case .note: notes
        }
    }

    func text(_ column: Text, _ row: Int) -> String {
        let start = row * column.width
        return String(decoding: bytes(column)[start..<start + column.width], as: UTF8.self)
    }

    /// The bytes of one text without a copy.
    @inline(__always)
    func withText<T>(_ column: Text, _ row: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        try bytes(column).withUnsafeBytes {
            let start = row * column.width
            return try body(UnsafeRawBufferPointer(rebasing: $0[start..<start + column.width]))
        }
    }
}
