import KenhMerge

/// What a line of the pending table says, by its number there.
enum PendingKind: Int64 {
    case insert = 0
    /// By a trigger: a counter's value is the difference that the statement made.
    case update = 1
    case delete = 2
    /// By Kenh itself, where somebody chose a value: a counter's value is set, too.
    case set = 4

    var change: ChangeKind {
        switch self {
        case .insert: .insert
        case .update, .set: .update
        case .delete: .delete
        }
    }
}
