import KenhStore
import KenhWords

/// What the five cells do from 16 to 30 June 2022, each on its own machine: work on items, report, and hand in the
/// review of June that follows the one of May. It fits a ``DemoOrganisation`` of any seed.
///
/// The planted cases of 20 June are concurrent only where the cells do not sync between the 16th and the end of that
/// day. CB4 works by plain SQL only.
public struct DemoMonth: Sendable {
    /// CB2 and CB3 both give it a title and an accountable seat; CB3 verifies it while CB2 reopens it.
    public static let jointSeminar = DemoItem.jointSeminar
    /// A review of the plan KH2 that CB1 and CB5 both insert, with different sections.
    public static let jointReview = "KH2/2022-06"
    /// CB1 deletes it while CB5 edits it: it stays, and both are told.
    public static let disputedItem = DemoItem.disputed
    public static let period = Month(2022, 6)

    public let seed: UInt64
    /// Cell by cell in the order of their codes, each cell's steps in the order of their dates.
    public let steps: [DemoStep]

    public init(seed: UInt64) {
        self.seed = seed
        // Apart from the draws of the organisation of the same seed.
        var random = SeededRandom(seed: seed ^ 0x6a75_6e65)
        steps = DemoOrganisation.cells.flatMap { cell in
            let script = DemoCellScript(cell: cell, seed: random.next())
            return cell == "CB4" ? script.sqlSteps() : script.storeSteps()
        }
    }

    public func steps(of cell: String) -> [DemoStep] { steps.filter { $0.cell == cell } }

    static func day(_ number: Int) -> CivilDate { period.day(number) }
}
