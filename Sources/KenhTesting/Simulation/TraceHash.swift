import KenhMerge

/// Sums up what happened in a run, so that two runs can be compared (FNV-1a, 64 bits).
public struct TraceHash: Sendable, Equatable, CustomStringConvertible {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    mutating func add(_ text: String) {
        for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    mutating func add(_ number: UInt64) {
        state = (state ^ number) &* 0x100_0000_01B3
        state ^= state >> 29
    }

    public var description: String { state.bigEndianBytes.hex }
}
