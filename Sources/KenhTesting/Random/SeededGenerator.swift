/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and the same everywhere, so that one seed replays a whole run.
///
/// Not for keys: whoever sees one output knows all the others.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// A number from 0 to `bound` − 1; 0 where `bound` is not positive.
    ///
    /// Unlike `Int.random(in:using:)`, whose algorithm may change, it gives the same numbers with every compiler. The
    /// bias is below `bound` ÷ 2⁶⁴.
    public mutating func below(_ bound: Int) -> Int {
        guard bound > 0 else { return 0 }
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// True in `percent` of 100 calls.
    public mutating func chance(percent: Int) -> Bool { below(100) < percent }

    /// One of the elements; nil where there is none.
    public mutating func pick<Elements: RandomAccessCollection>(_ elements: Elements) -> Elements.Element? {
        guard !elements.isEmpty else { return nil }
        return elements[elements.index(elements.startIndex, offsetBy: below(elements.count))]
    }
}
