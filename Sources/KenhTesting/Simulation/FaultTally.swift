/// How often each fault struck.
public struct FaultTally: Sendable, Equatable {
    public private(set) var counts: [FaultKind: Int] = [:]

    public init() {}

    public subscript(kind: FaultKind) -> Int { counts[kind] ?? 0 }

    public mutating func add(_ kind: FaultKind, _ count: Int = 1) {
        if count > 0 { counts[kind, default: 0] += count }
    }

    public mutating func add(_ other: FaultTally) { counts.merge(other.counts, uniquingKeysWith: +) }

    /// Those that never struck.
    public var missing: [FaultKind] { FaultKind.allCases.filter { self[$0] == 0 } }
}

extension FaultTally: CustomStringConvertible {
    public var description: String {
        FaultKind.allCases.map { "\($0.rawValue) \(self[$0])" }.joined(separator: ", ")
    }
}
