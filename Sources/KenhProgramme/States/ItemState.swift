/// The states of a work item: planned → doing ⇄ waiting → done → verified; returned; cancelled; reopened.
public enum ItemState: String, LifecycleState {
    case planned, doing, waiting, done, verified, returned, cancelled, reopened

    public static let subjectKind = "work_item"
    public static let initial = ItemState.planned

    public var next: Set<ItemState> {
        switch self {
        case .planned: [.doing, .cancelled]
        case .doing: [.waiting, .done, .cancelled]
        case .waiting: [.doing, .done, .cancelled]
        case .done: [.verified, .returned, .reopened]
        case .returned: [.doing, .done, .cancelled]
        case .reopened: [.doing, .waiting, .done, .cancelled]
        case .verified, .cancelled: [.reopened]
        }
    }

    public var finality: Int {
        switch self {
        case .planned: 0
        case .reopened: 1
        case .returned: 2
        case .doing: 3
        case .waiting: 4
        case .done: 5
        case .verified: 6
        // Last, since it takes the item out of every figure.
        case .cancelled: 7
        }
    }

    /// Whether the work is finished; what is cancelled is not.
    public var isDone: Bool { self == .done || self == .verified }
}
