import KenhProgramme
import Testing

@Suite struct DerivedIDTests {
    @Test("parts are joined by a slash")
    func joining() throws {
        #expect(try DerivedID("CB3", "2022-05").text == "CB3/2022-05")
        #expect(try DerivedID("CB3").text == "CB3")
    }

    @Test("two ways of typing a letter give the same bytes")
    func normalising() throws {
        let composed = try DerivedID("Đảng ủy", "1")
        let decomposed = try DerivedID("Đa\u{0309}ng u\u{0309}y", "1")
        #expect(Array(composed.text.utf8) == Array(decomposed.text.utf8))
        #expect(composed.value == decomposed.value)
    }

    @Test(
        "empty parts and parts with a slash or NUL are refused",
        arguments: [[], [""], ["a", ""], ["a/b"], ["a\0"], ["/"]])
    func refusing(parts: [String]) {
        #expect(throws: ProgrammeError(.badIDPart, "", advice: "")) { try DerivedID(parts: parts) }
    }
}
