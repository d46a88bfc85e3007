import KenhWords
import Testing

@Suite struct WordsTests {
    @Test("every phrase has a text in both languages, with the same placeholders", arguments: Phrase.allCases)
    func complete(phrase: Phrase) {
        for language in Language.allCases { #expect(!phrase.text[language].isEmpty) }
        let both = Language.allCases.map { Words.placeholders(of: phrase.text[$0]).sorted() }
        #expect(both[0] == both[1])
    }

    @Test("the language comes from the first part of a locale, and is Vietnamese where that says nothing")
    func languages() {
        for text in ["vi_VN.UTF-8", "vi", "", "C", "fr_FR", "POSIX", "eng"] {
            #expect(Language(locale: text) == .vietnamese)
        }
        for text in ["en", "en_GB.UTF-8", "EN-us", "en@quot"] { #expect(Language(locale: text) == .english) }
        #expect(Language(locale: nil) == .vietnamese)
    }

    @Test("placeholders are filled once, and one without an argument stays to be seen")
    func filling() {
        #expect(Words(.vietnamese).text(.overviewTitle, ["date": "15/06/2022"]) == "Tiến độ đến ngày 15/06/2022")
        #expect(Words(.english).text(.overviewTitle, ["date": "{from}{"]) == "Progress as of {from}{")
        #expect(Words(.english)[.overviewTitle] == "Progress as of {date}")
        #expect(Words.placeholders(of: "{a} and {b}{c") == ["a", "b"])
        #expect(Words.placeholders(of: "none") == [])
    }

    @Test("numbers have the marks of the language")
    func numbers() {
        #expect(Language.vietnamese.number(1_234_567) == "1.234.567")
        #expect(Language.english.number(1_234_567) == "1,234,567")
        #expect(Language.english.number(-123) == "−123")
        #expect(Language.english.number(Int.min) == "−9,223,372,036,854,775,808")
        #expect(Language.vietnamese.number(1234.5, decimals: 2) == "1.234,50")
        #expect(Language.english.number(-0.04, decimals: 1) == "0.0")
        #expect(Language.english.number(0.05, decimals: 1) == "0.1")
        #expect(Language.vietnamese.percent(0.625, decimals: 1) == "62,5%")
        #expect(Language.english.percent(1) == "100%")
        for odd in [Double.nan, .infinity, 1e300] { #expect(Language.english.number(odd, decimals: 1) == "—") }
    }
}
