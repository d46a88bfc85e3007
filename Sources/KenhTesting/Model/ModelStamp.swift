import KenhMerge

/// One write as it stands in one column.
public struct ModelStamp: Hashable, Sendable {
    /// The number of the column that says that the row exists.
    public static let existence = -1

    public let column: Int
    public let name: ModelName
    public let clock: HybridClock
    public let isRemoved: Bool
    /// Its value is added to the column's.
    public let isDelta: Bool
    /// Nil for existence only.
    public let value: Value?

    public init(column: Int, name: ModelName, clock: HybridClock, isRemoved: Bool, isDelta: Bool = false, value: Value?)
    {
        self.column = column
        self.name = name
        self.clock = clock
        self.isRemoved = isRemoved
        self.isDelta = isDelta
        self.value = value
    }

    /// By column; in a column the shown one first, then as people are to see the others, deltas last.
    public func precedes(_ other: ModelStamp) -> Bool {
        if column != other.column { return column < other.column }
        if isDelta != other.isDelta { return other.isDelta }
        if isRemoved != other.isRemoved { return other.isRemoved }
        return (other.clock, other.name) < (clock, name)
    }
}

extension ModelStamp: CustomStringConvertible {
    public var description: String {
        let place = column == Self.existence ? "exists" : "c\(column)"
        let mark = (isRemoved ? " removed" : "") + (isDelta ? " delta" : "")
        let text = value.map { " = \(Self.exact($0))" } ?? ""
        return "\(place) \(name) at \(clock.milliseconds)+\(clock.tick)\(mark)\(text)"
    }

    /// Differs wherever the values do: NFC and NFD look the same to people, not here.
    private static func exact(_ value: Value) -> String {
        guard case .text(let bytes) = value, !bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return "\(value.tag) \(value)"
        }
        return "\(value.tag) x'\(bytes.hex)'"
    }
}
