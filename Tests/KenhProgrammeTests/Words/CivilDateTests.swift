import KenhProgramme
import KenhWords
import Testing

@Suite struct CivilDateTests {
    @Test("a date is read strictly and shown as people of each language write it")
    func reading() throws {
        let date = try #require(CivilDate("2022-06-05"))
        #expect(date.formatted(.vietnamese) == "05/06/2022")
        #expect(date.formatted(.english) == "5 Jun 2022")
        #expect(date.description == "2022-06-05")
        for text in [
            "", "2022-6-05", "2022-02-29", "2022-13-01", "2022-00-10", "0000-01-01", "2022-06-05 ", "2022-06-0５",
        ] {
            #expect(CivilDate(text) == nil)
        }
    }

    @Test("counting days agrees with the calendar, leap days included")
    func counting() {
        #expect(CivilDate(nearestTo: 1970, 1, 1).daysSince1970 == 0)
        #expect(CivilDate(nearestTo: 2022, 6, 15).daysSince1970 == 19158)
        var date = CivilDate(nearestTo: 1599, 12, 30)
        for _ in 0..<(401 * 366) {
            let next = date.adding(days: 1)
            #expect(next > date && next.daysSince1970 == date.daysSince1970 + 1)
            #expect(CivilDate(daysSince1970: date.daysSince1970) == date)
            date = next
        }
        #expect(date.year >= 2000)
    }

    @Test("days beyond the calendar end at its ends")
    func ends() {
        #expect(CivilDate(nearestTo: 2022, 1, 1).adding(days: .max).description == "9999-12-31")
        #expect(CivilDate(nearestTo: 2022, 1, 1).adding(days: .min).description == "0001-01-01")
        #expect(CivilDate(nearestTo: 2024, 2, 31).day == 29)
    }

    @Test("eight o'clock in Vietnam is one o'clock in Greenwich")
    func milliseconds() {
        #expect(CivilDate(nearestTo: 2022, 6, 15).milliseconds(hour: 8, zoneHours: 7) == 1_655_254_800_000)
    }

    @Test("months follow each other across years")
    func months() throws {
        #expect(Month("2022-05") == Month(2022, 5))
        #expect(Month("2022-5") == nil && Month("2022-13") == nil && Month("") == nil)
        #expect(Month(2021, 12).next.description == "2022-01" && Month(2022, 1).previous == Month(2021, 12))
        #expect(Month(2020, 9).through(Month(2022, 5)).count == 21)
        #expect(Month(2022, 5).through(Month(2022, 4)).isEmpty)
        #expect(
            Month(2022, 2).last.description == "2022-02-28" && Month(2021, 12).reviewDue.description == "2022-01-05")
        #expect(Month(2022, 5).formatted(.vietnamese) == "05/2022" && Month(2022, 5).formatted(.english) == "May 2022")
    }
}
