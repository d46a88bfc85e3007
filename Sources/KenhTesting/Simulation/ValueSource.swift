import KenhMerge
import KenhStore

/// Values for a step of a simulation: mostly ones that nobody else ever writes, sometimes ones that others write, too.
struct ValueSource {
    let salt: UInt64
    private var random: SeededGenerator
    private var count: UInt64 = 0

    init(salt: UInt64) {
        self.salt = salt
        random = SeededGenerator(seed: salt ^ 0x7A1E)
    }

    mutating func next(_ type: ColumnType) -> (value: Value, isUnique: Bool) {
        if random.chance(percent: 8) { return (.null, false) }
        if random.chance(percent: 12) { return (Self.common(type, random.below(3)), false) }
        return (unique(type), true)
    }

    mutating func unique(_ type: ColumnType) -> Value {
        count += 1
        let bits = random.next()
        switch type {
        case .text: return .text("\(bits.bigEndianBytes.hex) \(flavour)")
        case .integer: return .integer(Int64(bitPattern: bits))
        case .real: return .real(Double(Int64(bitPattern: bits)) / 1024)
        case .blob: return .blob(bits.bigEndianBytes + Array(repeating: 0, count: random.below(40)))
        }
    }

    /// Text that has been trouble elsewhere.
    private var flavour: String {
        mutating get {
            random.pick(["", "kênh", "ke\u{302}nh", "'; --", "\u{1F469}\u{200D}\u{1F33E}", "\n\t", "\u{FFFD}"]) ?? ""
        }
    }

    private static func common(_ type: ColumnType, _ number: Int) -> Value {
        switch type {
        case .text: [.text(""), .text("done"), .text("\u{e9}")][number]
        case .integer: [.integer(0), .integer(.max), .integer(.min)][number]
        case .real: [.real(0), .real(-1.5), .real(1e300)][number]
        case .blob: [.blob([]), .blob([0]), .blob([255, 0])][number]
        }
    }
}
