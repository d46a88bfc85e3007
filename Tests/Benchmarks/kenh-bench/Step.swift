/// What is measured, in the order of the table.
enum Step: String, CaseIterable {
    case plainInsert = "L0 insert"
    case plainUpdate = "L0 update"
    case plainAutocommit = "L0 autocommit"
    case captureInsert = "L1"
    case captureUpdate = "L2"
    case captureAutocommit = "L1 autocommit"
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
    case oneChange = "X one change"
    case roundTrip = "W round trip"
    case fanOut = "W fan-out"
    case youngSync = "H sync, young log"
    case oldSync = "H sync, 10 × log"
    case makeSnapshot = "J make snapshot"
    case joinByBlocks = "J join by blocks"
    case joinBySnapshot = "J join by snap."
    // SQLite's session extension, doing what the step of that name does.
    case sessionInsert = "session L1"
    case sessionUpdate = "session L2"
    case sessionSealInserts = "session E1"
    case sessionSealUpdates = "session E2"
    case sessionMergeBase = "session A1"
    case sessionMergeAgain = "session A2"
    case sessionMergeUpdates = "session A3"
    case sessionMergeConflicts = "session C1"
    case sessionBaseWire = "session wire, base"
    case sessionUpdateWire = "session wire, upd."

    var unit: String {
        switch self {
        case .size, .sizeWithoutLog: "× plain"
        case .baseWire, .updateWire, .sessionBaseWire, .sessionUpdateWire: "B/change"
        case .oneChange, .roundTrip, .fanOut, .youngSync, .oldSync: "ms"
        default: "rows/s"
        }
    }

    var isRate: Bool { unit == "rows/s" }

    /// The plain step that limits this one; of a fan-out, what one message takes.
    var plain: Step? {
        switch self {
        case .plainInsert, .captureInsert, .sealInserts, .mergeBase, .mergeAgain, .exchangeUp, .exchangeDown,
            .sessionInsert, .makeSnapshot, .joinByBlocks, .joinBySnapshot, .sessionSealInserts, .sessionMergeBase,
            .sessionMergeAgain:
            .plainInsert
        case .plainUpdate, .captureUpdate, .sealUpdates, .mergeUpdates, .mergeConflicts, .sessionUpdate,
            .sessionSealUpdates, .sessionMergeUpdates, .sessionMergeConflicts:
            .plainUpdate
        case .plainAutocommit, .captureAutocommit: .plainAutocommit
        case .roundTrip, .fanOut: .roundTrip
        case .youngSync, .oldSync: .youngSync
        case .size, .sizeWithoutLog, .baseWire, .updateWire, .sessionBaseWire, .sessionUpdateWire, .oneChange: nil
        }
    }

    /// The step of the session extension that does the same.
    var session: Step? {
        switch self {
        case .captureInsert: .sessionInsert
        case .captureUpdate: .sessionUpdate
        case .sealInserts: .sessionSealInserts
        case .sealUpdates: .sessionSealUpdates
        case .mergeBase: .sessionMergeBase
        case .mergeAgain: .sessionMergeAgain
        case .mergeUpdates: .sessionMergeUpdates
        case .mergeConflicts: .sessionMergeConflicts
        case .baseWire: .sessionBaseWire
        case .updateWire: .sessionUpdateWire
        default: nil
        }
    }

    /// The first word, as `--only` takes it.
    var group: String { rawValue.split(separator: " ").first.map(String.init) ?? rawValue }
}
