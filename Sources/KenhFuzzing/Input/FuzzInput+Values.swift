import KenhMerge

extension FuzzInput {
    /// A value of any type that a block can carry.
    mutating func value() -> Value {
        switch below(8) {
        case 0: .null
        case 1: .integer(number())
        case 2: .real(finite(Double(bitPattern: word())))
        case 3: .real(Double(number()) / 100)
        case 4: .text(Array("abc".utf8.prefix(below(4))))
        case 5: .text(Array(String(decoding: chunk(), as: UTF8.self).utf8.filter { $0 != 0 }))
        case 6: .blob(chunk())
        default: .real(pick([-0.0, 0.1, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude]))
        }
    }

    private func finite(_ real: Double) -> Double { real.isFinite ? real : 0 }

    /// Near now, at the tolerance, or anywhere.
    mutating func clock() -> HybridClock {
        switch below(4) {
        case 0: HybridClock(milliseconds: FuzzWorld.now &+ number(), tick: UInt16(byte()))
        case 1: HybridClock(milliseconds: FuzzWorld.now + HybridClock.toleranceMilliseconds + Int64(below(3)))
        case 2: HybridClock(rawValue: word())
        default: HybridClock(milliseconds: FuzzWorld.now)
        }
    }
}
