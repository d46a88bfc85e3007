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

extension ChangeSet {
    /// Nil where the ranges are empty, not in ascending order, adjacent, or beyond what a block can have.
    init?(_ wire: [WireChangeRange]) {
        self.init()
        for range in wire {
            let (first, count) = (Int(range.first), Int(range.count))
            guard count > 0, ranges.last.map({ $0.upperBound < first }) ?? true,
                first + count <= Limits.changesPerBlock
            else { return nil }
            add(first..<first + count)
        }
    }

    var wire: [WireChangeRange] {
        ranges.map { range in
            var wire = WireChangeRange()
            (wire.first, wire.count) = (UInt32(range.lowerBound), UInt32(range.count))
            return wire
        }
    }
}
