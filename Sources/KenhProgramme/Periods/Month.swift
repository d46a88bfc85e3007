import KenhWords

/// A calendar month, written `2022-05`.
public struct Month: Sendable, Hashable, CustomStringConvertible {
    /// Months since January of the year 0.
    private let index: Int

    private init(index: Int) { self.index = min(max(index, 12), 9999 * 12 + 11) }

    /// Parts beyond the years 1 to 9999 and the months 1 to 12 are brought to the nearest.
    public init(_ year: Int, _ month: Int) {
        self.init(index: min(max(year, 1), 9999) * 12 + min(max(month, 1), 12) - 1)
    }

    public init(of date: CivilDate) { self.init(date.year, date.month) }

    /// From `2022-05`, and nothing else.
    public init?(_ text: String) {
        guard let date = CivilDate(text + "-01") else { return nil }
        self.init(of: date)
    }

    public var year: Int { index / 12 }
    public var month: Int { index % 12 + 1 }
    public var next: Month { Month(index: index + 1) }
    public var previous: Month { Month(index: index - 1) }
    public var first: CivilDate { day(1) }
    public var last: CivilDate { day(31) }
    public var quarter: Int { (month + 2) / 3 }
    public var description: String { String(first.description.prefix(7)) }

    /// The day of that number, or the month's last.
    public func day(_ number: Int) -> CivilDate { CivilDate(nearestTo: year, month, number) }

    /// The months from this one to the other, both included; empty where that one is earlier.
    public func through(_ last: Month) -> [Month] {
        last.index < index ? [] : (index...last.index).map(Month.init(index:))
    }

    /// The day by which a cell hands in its review of this month: the fifth of the next.
    public var reviewDue: CivilDate { next.day(5) }
}

extension Month: Comparable {
    public static func < (a: Month, b: Month) -> Bool { a.index < b.index }
}
