import KenhStore
import KenhWords

/// An illustrative organisation (“số liệu minh họa”) up to its frozen clock: deterministic by seed, outputs of units
/// only, people as aliases of seats.
///
/// Of the 105 monthly reviews that were due, 6 are missing: these have no row at all, since nobody wrote one; what is
/// missing is derived from the calendar.
public struct DemoOrganisation: Sendable {
    /// The day at which its clock stands still.
    public static let today = CivilDate(nearestTo: 2022, 6, 15)
    public static let termStart = CivilDate(nearestTo: 2020, 9, 1)
    public static let firstReview = Month(2020, 9)
    public static let lastReview = Month(2022, 5)
    public static let cells = DemoUnit.cells.map(\.code)
    /// Who writes it at the centre.
    public static let officer = DemoUnit.committee.seat(1)

    public let seed: UInt64
    /// In the order of writing.
    public let rows: [DemoRow]

    public init(seed: UInt64) {
        self.seed = seed
        var writer = DemoWriter(seed: seed)
        writer.writeOrganisation()
        let items = writer.writeItems()
        writer.writeTargetEntries()
        writer.writeItemEntries(items)
        writer.writeReviews()
        // Sorting is stable, so that a row follows what it builds on.
        rows = writer.rows.enumerated()
            .sorted { ($0.element.date, $0.offset) < ($1.element.date, $1.offset) }
            .map(\.element)
    }

    /// Writes the content, one transaction per month, timed at eight o'clock of the month's last day of writing.
    public func install(into store: Store) throws {
        for month in Self.firstReview.through(Month(of: Self.today)) {
            let written = rows.filter { Month(of: $0.date) == month }
            guard let last = written.last else { continue }
            try store.write(officer: Self.officer, atMilliseconds: Self.milliseconds(of: last.date)) { transaction in
                for row in written { try row.insert(into: transaction) }
            }
        }
    }

    /// Eight o'clock in Vietnam, as milliseconds since 1970.
    public static func milliseconds(of date: CivilDate) -> Int64 { date.milliseconds(hour: 8, zoneHours: 7) }
}
