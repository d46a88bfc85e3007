import KenhStore

/// The rows from which an overview is made.
package struct OverviewFacts: Sendable {
    package struct Item: Sendable {
        package let id: String
        package let subPlan: String
        package let unit: String
        package let title: String
        /// Missing is not zero.
        package let weight: Double?

        package init(id: String, subPlan: String, unit: String, title: String, weight: Double?) {
            self.id = id
            self.subPlan = subPlan
            self.unit = unit
            self.title = title
            self.weight = weight
        }
    }

    package struct Review: Sendable {
        package let id: String
        package let unit: String
        package let period: String
        package let due: String
    }

    package struct Entries: Sendable {
        package let subPlan: String
        package let unit: String
        package let count: Int
    }

    package var items: [Item] = []
    package var cells: [String] = []
    /// Of the cells, monthly.
    package var reviews: [Review] = []
    /// By sub-plan and unit.
    package var entries: [Entries] = []
    package var itemMoves: [String: [Transition]] = [:]
    package var reviewMoves: [String: [Transition]] = [:]

    package init() {}

    /// Each table is read at its own moment.
    package init(readFrom store: Store) throws {
        items = try store.rows("SELECT id, sub_plan, unit, title, weight FROM work_item ORDER BY id").map {
            Item(
                id: $0["id"].orEmpty, subPlan: $0["sub_plan"].orEmpty, unit: $0["unit"].orEmpty,
                title: $0["title"].orEmpty, weight: $0["weight"].number)
        }
        cells = try store.rows("SELECT code FROM unit WHERE kind = 'cell' ORDER BY code").map { $0["code"].orEmpty }
        reviews = try store.rows("SELECT id, unit, period, due FROM review WHERE kind = 'month' ORDER BY id").map {
            Review(
                id: $0["id"].orEmpty, unit: $0["unit"].orEmpty, period: $0["period"].orEmpty, due: $0["due"].orEmpty)
        }
        entries = try store.rows(Self.entryCounts).map {
            Entries(subPlan: $0["sub_plan"].orEmpty, unit: $0["unit"].orEmpty, count: Int($0["entries"].number ?? 0))
        }
        itemMoves = try Self.moves(of: ItemState.subjectKind, in: store)
        reviewMoves = try Self.moves(of: ReviewState.subjectKind, in: store)
    }

    /// An entry's sub-plan is that of its channel.
    private static let entryCounts = """
        SELECT substr(channel, 6) AS sub_plan, unit, count(*) AS entries FROM progress_entry
         WHERE channel LIKE 'plan/%'
           AND id NOT IN (SELECT voids FROM progress_entry WHERE voids IS NOT NULL)
         GROUP BY 1, 2
        """

    private static func moves(of kind: String, in store: Store) throws -> [String: [Transition]] {
        let rows = try store.rows("SELECT \(Transition.columns) FROM transition WHERE subject_kind = ?", [.text(kind)])
        return Dictionary(grouping: rows.map { Transition($0) }, by: \.subject)
    }
}

extension Value {
    fileprivate var orEmpty: String { string ?? "" }

    /// An integer or a finite real.
    fileprivate var number: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .real(let number) where number.isFinite: number
        default: nil
        }
    }
}
