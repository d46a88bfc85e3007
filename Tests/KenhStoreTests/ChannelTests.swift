import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct ChannelTests {
    /// A made a row in the channel of the higher name, B one with the same id in the lower.
    private func oneIDTwice() throws -> OrganisationFixture {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("task", "x", [("channel", "plan/2"), ("title", "two"), ("points", 2)])
        try organisation["B"].insert("task", "x", [("channel", "plan/1"), ("title", "one"), ("points", 1)])
        try organisation.exchange()
        return organisation
    }

    private func shown(_ organisation: OrganisationFixture) throws -> [Value?]? {
        try organisation.everywhere { cell in
            try ["channel", "title", "points"].map { try cell.value("task", "x", $0) }
        }
    }

    @Test("one id in two channels shows the row of the lower channel name everywhere")
    func lowerName() throws {
        #expect(try shown(oneIDTwice()) == ["plan/1", "one", 1])
    }

    @Test("edits of the shown row go to its channel, the other row waits unharmed")
    func editShown() throws {
        let organisation = try oneIDTwice()
        try organisation["A"].update("task", "x", "points", 5)
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/1", "one", 5])
        try organisation["C"].delete("task", "x")
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/2", "two", 2])
    }

    @Test("deleting the shown row brings the other one up where it was deleted, too, at the next seal")
    func deleteShown() throws {
        let organisation = try oneIDTwice()
        try organisation["B"].delete("task", "x")
        #expect(try !organisation["B"].isShown("task", "x"))
        try organisation["B"].seal()
        #expect(try organisation["B"].value("task", "x", "title") == "two")
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/2", "two", 2])
        try organisation["A"].update("task", "x", "points", 20)
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/2", "two", 20])
        try organisation["A"].delete("task", "x")
        try organisation.exchange()
        #expect(try shown(organisation) == [nil, nil, nil])
    }

    @Test("a row moves to another channel as a delete and an insert")
    func move() throws {
        let organisation = try oneIDTwice()
        try organisation["C"].store.write {
            try $0.delete("task", id: "x")
            try $0.insert("task", [("id", "x"), ("channel", "plan/0"), ("title", "moved")])
        }
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/0", "moved", .some(.null)])
        try organisation["A"].store.write {
            try $0.delete("task", id: "x")
            try $0.insert("task", [("id", "x"), ("channel", "plan/3"), ("title", "hidden by plan/2")])
        }
        try organisation.exchange()
        #expect(try shown(organisation) == ["plan/2", "two", 2])
    }

    @Test("conflicts of a hidden row are kept until it is shown")
    func hiddenConflict() throws {
        let organisation = try OrganisationFixture(["A", "B", "C"])
        try organisation["A"].insert("task", "x", [("channel", "plan/2"), ("title", "two")])
        try organisation.exchange()
        try organisation["A"].update("task", "x", "title", "a")
        organisation.clock.advance(milliseconds: 1)
        try organisation["B"].update("task", "x", "title", "b")
        try organisation["C"].delete("task", "x")
        try organisation["C"].insert("task", "x", [("channel", "plan/1"), ("title", "one")])
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("task", "x", "title") } == "one")
        #expect(try organisation.everywhere { try $0.store.conflicts() } == [])
        try organisation["C"].delete("task", "x")
        try organisation.exchange()
        let expected = ConflictSummary(shown: "b", losers: ["a"])
        #expect(try organisation.everywhere { try $0.conflict("task", "x", "title") } == .some(expected))
    }

    @Test("channels have their own digests, lanes and blocks")
    func separate() throws {
        let organisation = try OrganisationFixture()
        try organisation["A"].insert("task", "1", [("channel", "plan/1")])
        try organisation["A"].insert("task", "2", [("channel", "plan/2")])
        try organisation["A"].insert("item", "3")
        let outbox = try organisation["A"].store.outbox(as: organisation["A"].identity, limitBytes: 1 << 20)
        #expect(Set(outbox.blocks.map(\.header.channel)) == ["org", "plan/1", "plan/2"])
        #expect(outbox.blocks.allSatisfy { $0.header.firstCounter == 1 && $0.header.previous == .zero })
        try organisation.exchange()
        #expect(Set(try organisation["B"].store.settledDigests().values).count == 3)
    }

    @Test(
        "channel names are 1 to 200 printable ASCII characters and not Kenh's own",
        arguments: [
            ("org", true), ("plan/KH 1", true), (String(repeating: "a", count: 200), true), ("KENH/x", true),
            ("~", true),
            ("", false), (String(repeating: "a", count: 201), false), ("kenh/registry", false), ("kế", false),
            ("a\n", false), ("a\0", false), ("\u{7f}", false),
        ])
    func names(_ name: String, _ isValid: Bool) {
        #expect(ChannelName.isValid(name) == isValid)
    }

    @Test("what a mistaken programme sent is kept beside the tables and stops nothing else")
    func mistakenRows() throws {
        let organisation = try OrganisationFixture()
        let foreign = try ForeignBlock(organisation, channel: "org")
        let block = try foreign.seal { builder in
            let photo = builder.table("photo", idType: .blob, columns: ["name"])
            foreign.insert(.blob([1, 2]), table: photo, columns: ["short id"], into: builder)
            let item = builder.table("item", idType: .text, columns: ["title", "amount"])
            foreign.insert(
                .text(String(repeating: "x", count: 2000)), table: item, columns: ["long id", 1], into: builder)
            foreign.insert("typed", table: item, columns: [7, "text"], into: builder)
            foreign.insert("good", table: item, columns: ["good", 1], into: builder)
        }
        try organisation["A"].insert("item", "before")
        for cell in organisation.cells { #expect(try foreign.give(block, to: cell).changes == 4) }
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "good", "title") } == "good")
        #expect(try organisation.everywhere { try $0.value("item", "typed", "title") } == .null)
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM item") } == 3)
        #expect(try organisation.everywhere { try $0.count("SELECT count(*) FROM photo") } == 0)
    }

    @Test("a table that belongs to one channel shows no row of another; an own row of that id is another row")
    func foreignChannel() throws {
        let organisation = try OrganisationFixture()
        let foreign = try ForeignBlock(organisation, channel: "plan/zz")
        let block = try foreign.seal { builder in
            let item = builder.table("item", idType: .text, columns: ["title"])
            foreign.insert("x", table: item, columns: ["from elsewhere"], into: builder)
        }
        for cell in organisation.cells { #expect(try foreign.give(block, to: cell).changes == 1) }
        #expect(try organisation.everywhere { try $0.isShown("item", "x") } == false)
        try organisation["A"].insert("item", "x", [("title", "own")])
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.value("item", "x", "title") } == "own")
        try SQLiteTool.run("DELETE FROM item WHERE id = 'x';", on: organisation["B"].store.path)
        try organisation.exchange()
        #expect(try organisation.everywhere { try $0.isShown("item", "x") } == false)
        #expect(try organisation.everywhere { try $0.store.verify(deep: true).problems } == [])
    }

    @Test("a block whose table has ids of another type halts its own lane only, and people are told once")
    func otherIDType() throws {
        let organisation = try OrganisationFixture()
        let foreign = try ForeignBlock(organisation, channel: "org")
        let block = try foreign.seal { builder in
            let table = builder.table("item", idType: .blob, columns: ["title"])
            foreign.insert(.blob([1]), table: table, columns: ["x"], into: builder)
        }
        for cell in organisation.cells { #expect(try foreign.give(block, to: cell).heldBlocks == 1) }
        try organisation["A"].insert("item", "y")
        for _ in 1...3 {
            for cell in organisation.cells { try organisation.send(cell) }
            for cell in organisation.cells { try organisation.receive(cell) }
        }
        #expect(try organisation.everywhere { try $0.isShown("item", "y") } == true)
        #expect(try organisation.everywhere { try $0.store.notices().map(\.code) } == ["unreadable"])
    }
}
