import KenhTesting
import Testing

@Suite struct SeededGeneratorTests {
    @Test("The numbers are those of SplitMix64")
    func reference() {
        var generator = SeededGenerator(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test("Bounded numbers reach every value and no other")
    func bounds() {
        var generator = SeededGenerator(seed: 1)
        let numbers = Set((0..<1_000).map { _ in generator.below(7) })
        #expect(numbers == Set(0..<7))
        #expect(generator.below(0) == 0 && generator.below(-1) == 0)
    }

    @Test("Nothing is picked from nothing")
    func picking() {
        var generator = SeededGenerator(seed: 1)
        #expect(generator.pick([Int]()) == nil)
        #expect(generator.pick(["a"][...]) == "a")
    }

    @Test("A chance of 0 never happens, one of 100 always")
    func chances() {
        var generator = SeededGenerator(seed: 1)
        #expect((0..<200).allSatisfy { _ in !generator.chance(percent: 0) && generator.chance(percent: 100) })
    }

    @Test("A manual clock stands still until it is moved, forward or back")
    func clock() {
        let clock = ManualClock(milliseconds: 1_000)
        #expect(clock.milliseconds == 1_000)
        #expect(clock.advance(milliseconds: 500) == 1_500)
        #expect(clock.advance(milliseconds: -2_000) == -500)
        clock.milliseconds = 7
        #expect(clock.milliseconds == 7)
    }
}
