import KenhMerge

/// Changes of one block, by their places in it, from 0.
public struct ChangeSet: Sendable, Equatable {
    /// Ascending, with a gap between any two.
    public private(set) var ranges: [Range<Int>] = []

    public init() {}

    public init(_ places: some Sequence<Int>) {
        for place in places { add(place..<place + 1) }
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }

    public func contains(_ place: Int) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= place { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(place)
    }

    public func isSubset(of other: ChangeSet) -> Bool { union(other) == other }

    public func union(_ other: ChangeSet) -> ChangeSet {
        var result = ChangeSet()
        for range in (ranges + other.ranges).sorted(by: { $0.lowerBound < $1.lowerBound }) { result.add(range) }
        return result
    }

    /// - Parameter range: begins not before the last one.
    mutating func add(_ range: Range<Int>) {
        guard let last = ranges.last, range.lowerBound <= last.upperBound else { return ranges.append(range) }
        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
    }
}

/// The centre's word that a block's writer was not allowed to make some of its changes when the centre took it. Every
/// node leaves them out; whoever names one of them names what it named.
public struct Ruling: Sendable, Equatable {
    public let struck: ChangeSet
    /// Why, for programs.
    public let code: String
    /// Why, for people.
    public let message: String

    public init(struck: ChangeSet, code: String, message: String) {
        self.struck = struck
        self.code = code
        self.message = message
    }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Limits.rulingBytes else {
            throw ProtocolError(.malformed, "a ruling is larger than any block needs")
        }
        let wire = try WireCoding.decode(WireRuling.self, from: bytes)
        var struck = ChangeSet()
        for range in wire.struck {
            let (first, count) = (Int(range.first), Int(range.count))
            guard count > 0, struck.ranges.last.map({ $0.upperBound < first }) ?? true,
                first + count <= Limits.changesPerBlock
            else { throw ProtocolError(.malformed, "a ruling strikes changes that no block has") }
            struck.add(first..<first + count)
        }
        guard !struck.isEmpty else { throw ProtocolError(.malformed, "a ruling strikes nothing") }
        self.init(struck: struck, code: wire.code, message: wire.message)
    }

    public var encoded: [UInt8] {
        get throws {
            var wire = WireRuling()
            wire.struck = struck.ranges.map { range in
                var wire = WireChangeRange()
                (wire.first, wire.count) = (UInt32(range.lowerBound), UInt32(range.count))
                return wire
            }
            (wire.code, wire.message) = (code, message)
            return try WireCoding.encode(wire)
        }
    }

    /// Whatever either strikes is struck; this one's words stand.
    public func joined(with other: Ruling?) -> Ruling {
        Ruling(struck: other.map { struck.union($0.struck) } ?? struck, code: code, message: message)
    }
}
