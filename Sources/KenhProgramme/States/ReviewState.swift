/// The states of a review: open → drafted → held → submitted → accepted or returned → locked.
public enum ReviewState: String, LifecycleState {
    case open, drafted, held, submitted, accepted, returned, locked

    public static let subjectKind = "review"
    public static let initial = ReviewState.open

    public var next: Set<ReviewState> {
        switch self {
        case .open: [.drafted]
        case .drafted: [.held]
        case .held: [.submitted]
        case .submitted: [.accepted, .returned]
        case .returned: [.drafted, .submitted]
        case .accepted: [.locked]
        case .locked: []
        }
    }

    public var finality: Int {
        switch self {
        case .open: 0
        case .drafted: 1
        case .held: 2
        case .returned: 3
        case .submitted: 4
        case .accepted: 5
        case .locked: 6
        }
    }
}
