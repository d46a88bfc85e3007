/// A state of something whose history is append-only transition rows.
public protocol LifecycleState: RawRepresentable<String>, Hashable, Sendable, CaseIterable {
    /// The table of its subjects, as transition rows name it.
    static var subjectKind: String { get }
    /// Of a subject without any transition.
    static var initial: Self { get }
    /// Where a person may move it from here.
    var next: Set<Self> { get }
    /// The order from the least final on; no two states share a number.
    var finality: Int { get }
}

/// What the transitions of one subject say about it now.
public struct CurrentState<State: LifecycleState>: Sendable {
    /// The least final state of the heads.
    public let state: State
    /// The transitions that no other names in `after`, in the order of their ids.
    public let heads: [Transition]
    /// Concurrent writers left different states, or one that this version does not know: somebody has to look.
    public let isContested: Bool
}

extension LifecycleState {
    /// The same on every node, whatever the order of the rows.
    public static func current(of transitions: [Transition]) -> CurrentState<Self> {
        let named = Set(transitions.flatMap { row in row.after.filter { $0 != row.id }.map { Array($0.utf8) } })
        var heads = transitions.filter { !named.contains(Array($0.id.utf8)) }
        // Rows that name each other in a circle leave no head: then all count.
        if heads.isEmpty { heads = transitions }
        heads.sort { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
        let states = Set(heads.compactMap { Self(rawValue: $0.to) })
        let isKnown = heads.allSatisfy { Self(rawValue: $0.to) != nil }
        return CurrentState(
            state: states.min { $0.finality < $1.finality } ?? .initial,
            heads: heads,
            isContested: states.count > 1 || !isKnown)
    }
}
