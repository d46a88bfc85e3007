import KenhMerge

/// A node of the naive model: the set of the changes that it has applied, and nothing else.
///
/// It is slow on purpose. It shares no code with the merge but identities, clocks and values, so that what both say
/// was worked out twice.
public struct ModelNode: Sendable {
    private var changes: [String: [ModelName: ModelChange]] = [:]
    private var finals: Set<ModelName> = []

    public init() {}

    public mutating func apply(_ change: ModelChange) { changes[change.row, default: [:]][change.name] = change }

    /// Gives a change that was applied a lower clock.
    public mutating func lowerClock(of name: ModelName, inRow row: String, to clock: HybridClock) {
        guard let change = changes[row]?[name] else { return }
        changes[row]?[name]?.clock = min(change.clock, clock)
    }

    /// Some writes are deleted for good, those among them, too, that come later.
    public mutating func finish(_ names: Set<ModelName>) { finals.formUnion(names) }

    public func contains(_ name: ModelName, inRow row: String) -> Bool { changes[row]?[name] != nil }

    public var rows: [String] { changes.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    public func row(_ row: String) -> ModelRow {
        ModelRow(changes: Array((changes[row] ?? [:]).values), without: finals)
    }
}

extension ModelNode: CustomStringConvertible {
    /// Two nodes agree exactly where these texts are the same, byte by byte.
    public var description: String { rows.map { "\($0)\n\(row($0))" }.joined(separator: "\n") }
}
