import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct HistoryTests {
    @Test("a row's history tells every change: what, by whom, as whom and when, having seen how much")
    func everyChange() throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try a.insert("item", "x", [("title", "t"), ("contact", "c")], officer: "an")
        try a.insert("item", "beside")
        try organisation.exchange()
        organisation.clock.advance(milliseconds: 1000)
        try b.update("item", "x", "amount", 3, officer: "bình")
        try a.delete("item", "x")
        try organisation.exchange()
        try a.store.keep(table: "item", id: "x", officer: "an")
        try organisation.exchange()
        let history = try b.store.history(table: "item", id: "x")
        #expect(
            history.map(\.kind) == [.insert, .update, .delete, .insert]
                || history.map(\.kind) == [.insert, .delete, .update, .insert])
        #expect(history.first?.author == "A" && history.first?.officer == "an")
        #expect(history.first?.values.first { $0.column == "contact" }?.value == "c")
        #expect(history.first?.supersedes == 0)
        let update = try #require(history.first { $0.kind == .update })
        #expect(update.author == "B" && update.officer == "bình" && update.channel == "org")
        #expect(update.values.map(\.column) == ["amount"] && update.values.map(\.value) == [3])
        #expect(update.claimedAtMilliseconds == OrganisationFixture.start + 1000)
        #expect(update.acceptedAtMilliseconds == OrganisationFixture.start + 1000)
        #expect(history.first { $0.kind == .delete }?.supersedes == 1)
        #expect(history.last?.supersedes == 2)
    }

    @Test("blob ids are asked for by their hex digits; who is unknown has no history")
    func ids() throws {
        let organisation = try OrganisationFixture()
        let id = [UInt8](repeating: 0xab, count: 16)
        try organisation["A"].insert("photo", .blob(id), [("name", "p")])
        try organisation.exchange()
        #expect(try organisation["B"].store.history(table: "photo", id: id.hex).count == 1)
        #expect(try organisation["B"].store.history(table: "photo", id: "not hex").isEmpty)
        #expect(try organisation["B"].store.history(table: "item", id: "none").isEmpty)
        #expect(throws: StoreError.self) { try organisation["B"].store.history(table: "none", id: "x") }
    }

    @Test("a block has one officer: where the officer changes, a new one begins")
    func officers() throws {
        let organisation = try OrganisationFixture()
        let cell = organisation["A"]
        for (number, officer) in ["an", "an", "bình", nil, "an", ValueTests.nfc, ValueTests.nfd].enumerated() {
            try cell.insert("item", .text("row\(number)"), [("title", "t")], officer: officer)
        }
        try cell.update("item", "row0", "title", "u", officer: "bình")
        let blocks = try cell.store.outbox(as: cell.identity, limitBytes: 1 << 20).blocks
        let officers = ["an", "bình", "", "an", ValueTests.nfc, ValueTests.nfd, "bình"]
        #expect(blocks.map { Array($0.header.officer.utf8) } == officers.map { Array($0.utf8) })
        #expect(blocks.map(\.header.count) == [2, 1, 1, 1, 1, 1, 1])
        #expect(blocks.map(\.header.isGroupStart) == [true] + [Bool](repeating: false, count: 6))
        #expect(blocks.map(\.header.isGroupEnd) == [Bool](repeating: false, count: 6) + [true])
        try organisation.exchange()
        let history = try organisation["B"].store.history(table: "item", id: "row0")
        #expect(history.map(\.officer) == ["an", "bình"])
    }

    @Test("an officer's alias that no block could bear is refused")
    func longOfficer() throws {
        let organisation = try OrganisationFixture(["A"])
        for officer in [String(repeating: "x", count: Limits.officerBytes + 1), "a\0"] {
            let error = #expect(throws: StoreError.self) {
                try organisation["A"].insert("item", "x", officer: officer)
            }
            #expect(error?.code == .refusedValue)
        }
        try organisation["A"].insert("item", "x", officer: String(repeating: "x", count: Limits.officerBytes))
        #expect(try organisation["A"].seal().blocks == 1)
    }

    @Test("the registry says who is who; a replica that it does not know is named by its id")
    func authors() throws {
        let organisation = try OrganisationFixture(["A", "B"])
        try organisation.exchange()
        #expect(Set(try organisation["A"].store.authors().values) == ["A", "B"])
    }
}
