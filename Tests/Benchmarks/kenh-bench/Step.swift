/// What is measured, in the order of the table.
enum Step: String, CaseIterable {
    case plainInsert = "L0 insert"
    case plainUpdate = "L0 update"
    case captureInsert = "L1"
    case captureUpdate = "L2"
    case sealInserts = "E1"
    case sealUpdates = "E2"
    case mergeBase = "A1"
    case mergeAgain = "A2"
    case mergeUpdates = "A3"
    case mergeConflicts = "C1"
    case size = "S size"
    case sizeWithoutLog = "S size, no log"
    case baseWire = "S wire, base"
    case updateWire = "S wire, update"
    case exchangeUp = "X up"
    case exchangeDown = "X down"

    var unit: String {
        switch self {
        case .size, .sizeWithoutLog: "× plain"
        case .baseWire, .updateWire: "B/change"
        default: "rows/s"
        }
    }

    var isRate: Bool { unit == "rows/s" }

    /// The plain step that limits this one.
    var plain: Step? {
        switch self {
        case .plainInsert, .captureInsert, .sealInserts, .mergeBase, .mergeAgain, .exchangeUp, .exchangeDown:
            .plainInsert
        case .plainUpdate, .captureUpdate, .sealUpdates, .mergeUpdates, .mergeConflicts: .plainUpdate
        case .size, .sizeWithoutLog, .baseWire, .updateWire: nil
        }
    }

    /// The first word, as `--only` takes it.
    var group: String { rawValue.split(separator: " ").first.map(String.init) ?? rawValue }
}
