extension CivilDate {
    /// Days since 1970-01-01, by Hinnant's shifted calendar in which a year begins in March.
    public var daysSince1970: Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The day that many days after 1970-01-01; the first or last there is where the number is beyond them.
    public init(daysSince1970 days: Int) {
        let first = CivilDate(nearestTo: 1, 1, 1).daysSince1970
        let last = CivilDate(nearestTo: 9999, 12, 31).daysSince1970
        let shifted = min(max(days, first), last) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        self.init(nearestTo: year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// Ends at the first or last day there is.
    public func adding(days: Int) -> CivilDate {
        let (sum, overflows) = daysSince1970.addingReportingOverflow(days)
        return CivilDate(daysSince1970: overflows ? (days < 0 ? Int.min : Int.max) : sum)
    }

    /// Milliseconds since 1970 of a time on this day; the zone is given as hours east of Greenwich.
    public func milliseconds(hour: Int, zoneHours: Int) -> Int64 {
        (Int64(daysSince1970) * 24 + Int64(hour) - Int64(zoneHours)) * 3_600_000
    }
}
