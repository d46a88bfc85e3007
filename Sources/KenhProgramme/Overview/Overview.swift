import KenhStore
import KenhWords

/// The merged state at a glance: how far each unit is with its items of each sub-plan, and how the cells' monthly
/// reviews came in.
public struct Overview: Sendable, Equatable {
    /// The day for which it holds.
    public let date: CivilDate
    /// By sub-plan and unit, in the order of their UTF-8.
    public let progress: [ProgressRow]
    /// By cell.
    public let reviews: [ReviewRow]
    /// The months whose reviews were due by the day, or were handed in early.
    public let reviewMonths: ClosedRange<Month>
    /// Items of which concurrent writers left different states.
    public let contested: [ContestedItem]

    /// One unit's part of a sub-plan.
    public struct ProgressRow: Sendable, Equatable {
        public let subPlan: String
        public let unit: String
        public var states: [ItemState: Int] = [:]
        /// Weight of the items that are done or verified, and of all that are not cancelled; a missing weight is 1.
        public var doneWeight = 0.0
        public var totalWeight = 0.0
        /// Progress entries on items and targets, without those that a correction replaced.
        public var entries = 0
        public var contested = 0

        public var items: Int { states.values.reduce(0, +) }
        /// A share of one; nil where nothing counts.
        public var doneShare: Double? { totalWeight > 0 ? doneWeight / totalWeight : nil }
    }

    /// One cell's monthly reviews.
    public struct ReviewRow: Sendable, Equatable {
        public let unit: String
        public var onTime = 0
        public var late = 0
        /// Due, and not handed in; most have no row.
        public var missing = 0
        /// Written, and not due yet.
        public var pending = 0
    }

    public struct ContestedItem: Sendable, Equatable {
        public let id: String
        public let title: String
        public let shown: ItemState
        /// What the heads say, as stored.
        public let states: [String]
    }

    /// - Parameter firstMonth: the first month of which reviews are due.
    /// - Throws: what the store throws.
    public static func read(
        from store: Store, asOf date: CivilDate, firstMonth: Month = DemoOrganisation.firstReview
    ) throws -> Overview {
        Overview(of: try OverviewFacts(readFrom: store), asOf: date, firstMonth: firstMonth)
    }
}
