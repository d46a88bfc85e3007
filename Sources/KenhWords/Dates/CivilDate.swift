/// A day of the Gregorian calendar without a time zone, from 0001-01-01 to 9999-12-31.
public struct CivilDate: Sendable, Hashable {
    public let year: Int
    public let month: Int
    public let day: Int

    /// Nil where there is no such day.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month),
            (1...Self.length(ofMonth: month, year: year)).contains(day)
        else { return nil }
        self.init(checked: year, month, day)
    }

    /// From `2022-06-15`, and nothing else.
    public init?(_ iso: String) {
        let bytes = Array(iso.utf8)
        guard bytes.count == 10, bytes[4] == 0x2d, bytes[7] == 0x2d,
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[5..<7]),
            let day = Self.number(bytes[8..<10])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// The nearest day there is: parts beyond their range are brought to its end, so that day 31 gives a month's last.
    public init(nearestTo year: Int, _ month: Int, _ day: Int) {
        let year = min(max(year, 1), 9999)
        let month = min(max(month, 1), 12)
        self.init(checked: year, month, min(max(day, 1), Self.length(ofMonth: month, year: year)))
    }

    private init(checked year: Int, _ month: Int, _ day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// 28 to 31; the month counts from 1.
    public static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        digits.reduce(into: Int?.some(0)) { sum, byte in
            guard let so = sum, (0x30...0x39).contains(byte) else {
                sum = nil
                return
            }
            sum = so * 10 + Int(byte - 0x30)
        }
    }
}

extension CivilDate: Comparable {
    public static func < (a: CivilDate, b: CivilDate) -> Bool {
        (a.year, a.month, a.day) < (b.year, b.month, b.day)
    }
}

extension CivilDate: CustomStringConvertible {
    /// As stored: `2022-06-15`.
    public var description: String { "\(padded(year, to: 4))-\(padded(month, to: 2))-\(padded(day, to: 2))" }

    /// As people of the language write it: `15/06/2022`, `15 Jun 2022`.
    public func formatted(_ language: Language) -> String {
        switch language {
        case .vietnamese: "\(padded(day, to: 2))/\(padded(month, to: 2))/\(padded(year, to: 4))"
        case .english: "\(day) \(Self.englishMonths[month - 1]) \(year)"
        }
    }

    private static let englishMonths = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private func padded(_ number: Int, to length: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, length - digits.count)) + digits
    }
}
