import KenhStore

/// A change of state that somebody makes: it becomes a transition row after the rows seen in the same transaction.
public struct Move<State: LifecycleState>: Sendable, Hashable {
    public let subject: String
    public let channel: String
    public let to: State
    public let date: String
    public let actor: String
    public let reason: String?

    public init(_ subject: String, channel: String, to: State, date: String, actor: String, reason: String? = nil) {
        self.subject = subject
        self.channel = channel
        self.to = to
        self.date = date
        self.actor = actor
        self.reason = reason
    }

    /// - Parameter id: of the new row; a time-ordered one where there is none.
    /// - Throws: ``ProgrammeError`` with code `noSuchMove`, or what the store throws.
    public func write(to transaction: StoreTransaction, id: String? = nil) throws {
        let current = try shown(in: transaction)
        guard current.state.next.contains(to) else {
            throw ProgrammeError(
                .noSuchMove, "\(subject) is \(current.state.rawValue) and cannot become \(to.rawValue)",
                advice: "look at its history and choose another state")
        }
        let row = values(from: current.state, after: current.heads.map(\.id))
        try transaction.insert("transition", (id.map { [("id", Value.text($0))] } ?? []) + row)
    }

    /// What the subject's transitions say now.
    public func shown(in transaction: StoreTransaction) throws -> CurrentState<State> {
        let rows = try transaction.rows(
            "SELECT \(Transition.columns) FROM transition WHERE subject_kind = ? AND subject = ?",
            [.text(State.subjectKind), .text(subject)])
        return State.current(of: rows.map { Transition($0) })
    }

    /// The same move to another state.
    func to(_ other: State) -> Move {
        Move(subject, channel: channel, to: other, date: date, actor: actor, reason: reason)
    }

    /// The row without its id.
    func values(from: State, after: [String]) -> [(String, Value)] {
        [
            ("channel", .text(channel)),
            ("subject_kind", .text(State.subjectKind)),
            ("subject", .text(subject)),
            ("from_state", .text(from.rawValue)),
            ("to_state", .text(to.rawValue)),
            ("reason", reason.map { .text($0.nfc) } ?? .null),
            ("effective_date", .text(date)),
            ("actor", .text(actor)),
            ("after", after.isEmpty ? .null : .text(after.joined(separator: " "))),
        ]
    }
}
