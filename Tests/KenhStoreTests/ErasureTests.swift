import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Values that nobody may keep any more, whichever part they play and whatever comes first.
@Suite("An erasure in a store") struct ErasureTests {
    private static let secret = "0912-345-678 Nguyễn"
    private let organisation: OrganisationFixture
    private var a: CellFixture { organisation["A"] }
    private var b: CellFixture { organisation["B"] }

    init() throws {
        organisation = try OrganisationFixture(["A", "B"])
        try a.insert("item", "x", [("title", "kept"), ("contact", .text(Self.secret))])
        try a.insert("item", "y", [("title", "other"), ("contact", "stays")])
        try organisation.exchange()
    }

    private func erasure(_ names: [Erasure.Name], reason: String = "asked", sequence: UInt64 = 90) throws
        -> Delivery.Erasure
    {
        let bytes = try Erasure(names, reason: reason).encoded
        let proof = EntryProof(
            epoch: [UInt8](repeating: 7, count: 16), kind: .erasure, channel: "org", sequence: sequence,
            object: Erasure.hash(of: bytes), acceptedAtMilliseconds: OrganisationFixture.start, previous: .zero,
            signature: [])
        return try Delivery.Erasure(proof: proof, bytes: bytes)
    }

    private func names(
        of cell: CellFixture, table: String = "item", _ id: String = "x", columns: [String] = []
    ) throws -> [Erasure.Name] {
        try cell.store.erasable(table: table, id: id, columns: columns).map(\.name)
    }

    @discardableResult
    private func take(_ erasure: Delivery.Erasure, _ cell: CellFixture) throws -> DeliveryReport {
        var delivery = Delivery()
        delivery.erasures = [erasure]
        return try cell.store.take(delivery, as: cell.identity)
    }

    /// In files whose names begin with the cell's.
    private func holders(of text: String, _ cell: CellFixture? = nil) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: organisation.directory.path).filter { name in
            guard cell.map({ name.hasPrefix($0.name) }) ?? true else { return false }
            let data = try Data(contentsOf: organisation.directory.appending(path: name))
            return data.range(of: Data(text.utf8)) != nil
        }
    }

    @Test("a shown value is NULL from then on, everything else stays, and every check is content")
    func shown() throws {
        let digests = try a.store.settledDigests()
        let erasure = try erasure(names(of: a))
        for cell in [a, b] {
            #expect(try take(erasure, cell).erasures == 1)
            #expect(try take(erasure, cell).erasures == 0, "once is enough")
        }
        #expect(try organisation.everywhere { try $0.value("item", "x", "contact") } == .some(.null))
        #expect(try a.value("item", "x", "title") == "kept" && a.value("item", "y", "contact") == "stays")
        #expect(try a.store.settledDigests() == digests)
        try organisation.check()
        #expect(try a.store.verify().erasedValues == 1)
        let history = try b.store.history(table: "item", id: "x")
        #expect(!history[0].values.map(\.column).contains("contact"))
        #expect(history[0].erased.map(\.column) == ["contact"] && history[0].erased.map(\.reason) == ["asked"])
        #expect(history[0].erased[0].atMilliseconds == OrganisationFixture.start)
        #expect(try a.store.erasable(table: "item", id: "x") == [])
    }

    @Test("nothing of it is left in any file", arguments: [Durability.rollbackJournal, .writeAheadLog])
    func bytes(_ durability: Durability) throws {
        var limits = WorkLimits.namingByBirth
        limits.durability = durability
        let cell = try organisation.add("C", limits: limits)
        // Copies in pages that are freed later: a line, a state and a pending change each.
        for number in 0..<40 {
            try cell.insert("item", .text("n\(number)"), [("note", .text(Self.secret + "\(number)"))])
        }
        try cell.sql("UPDATE item SET note = 'gone'")
        try organisation.receive(cell)
        try cell.update("item", "x", "contact", .text("before " + Self.secret))
        try organisation.send(cell)
        #expect(try !holders(of: Self.secret, cell).isEmpty)

        try take(try erasure(names(of: cell)), cell)
        #expect(try cell.store.isUnclean())
        // The notes of the other rows can be erased by nobody.
        try cell.sql("DELETE FROM item WHERE id LIKE 'n%'")
        let outbox = try cell.store.outbox(as: cell.identity, limitBytes: 1 << 20)
        #expect(try !outbox.hasErasuresPending && !cell.store.isUnclean())
        #expect(try holders(of: "before " + Self.secret, cell) == [])
        #expect(try cell.value("item", "x", "contact") == .null)
        try cell.update("item", "x", "contact", "new")
        #expect(try cell.value("item", "x", "contact") == "new", "what is written afterwards is another value")
    }

    @Test("the whole file of a cell is searched")
    func wholeFile() throws {
        try take(try erasure(names(of: b)), b)
        #expect(try !holders(of: Self.secret, b).isEmpty, "pages that were freed have it still")
        try b.store.clean()
        #expect(try holders(of: Self.secret, b) == [] && !holders(of: Self.secret, a).isEmpty)
        #expect(try b.store.verify(deep: true).problems == [])
    }

    @Test("losers, superseded and removed values go, too")
    func everyPart() throws {
        try a.update("item", "x", "contact", .text(Self.secret + " A"))
        try b.update("item", "x", "contact", .text(Self.secret + " B"))
        try organisation.exchange()
        #expect(try a.conflict("item", "x", "contact") != nil)
        try a.delete("item", "x")
        try organisation.exchange()
        let erasure = try erasure(names(of: b))
        #expect(erasure.content.names.count == 3)
        for cell in organisation.cells {
            try take(erasure, cell)
            try cell.store.clean()
            #expect(try holders(of: Self.secret, cell) == [], "\(cell.name)")
            #expect(try cell.store.conflicts().isEmpty)
        }
        try organisation.exchange()
    }

    @Test("one value of a conflict: it is NULL and still decides by its clock")
    func oneOfTwo() throws {
        organisation.clock.advance(milliseconds: 1000)
        try a.update("item", "x", "contact", "a")
        organisation.clock.advance(milliseconds: 1000)
        try b.update("item", "x", "contact", "b")
        try organisation.exchange()
        let named = try a.store.erasable(table: "item", id: "x").first { $0.value == "b" }?.name
        let erasure = try erasure([try #require(named)])
        for cell in organisation.cells { try take(erasure, cell) }
        let expected = ConflictSummary(shown: .null, losers: ["a"])
        #expect(try organisation.everywhere { try $0.conflict("item", "x", "contact") } == .some(expected))
        try organisation.exchange()
    }

    @Test("an erasure before its blocks, between them and after them comes to the same")
    func orders() throws {
        try b.update("item", "x", "contact", .text(Self.secret + " B"))
        try organisation.exchange()
        let erasure = try erasure(names(of: a))
        try take(erasure, a)
        try take(erasure, b)
        let (first, between) = (try organisation.add("first"), try organisation.add("between"))
        try take(erasure, first)
        try organisation.receive(first)
        try organisation.receive(between, upTo: 1)
        try take(erasure, between)
        try organisation.receive(between)
        #expect(try organisation.everywhere { try $0.value("item", "x", "contact") } == .some(.null))
        try organisation.check()
        for cell in [first, between] {
            try cell.store.clean()
            #expect(try holders(of: Self.secret, cell) == [])
        }
        #expect(try first.store.verify().erasedValues == 2)
    }

    @Test("a block that comes without its values waits for no erasure, and is a fault while none names them")
    func stripped() throws {
        let block = try #require(try a.store.erasable(table: "item", id: "x").first?.name.block)
        let erasure = try erasure(names(of: a))
        try take(erasure, a)
        let cell = try organisation.add("late")
        let item = Delivery.Item(
            hash: block, block: try a.store.block(block),
            acceptance: .init(sequence: 1, acceptedAtMilliseconds: OrganisationFixture.start))
        _ = try cell.store.take(Delivery(items: [item], registry: organisation.registry), as: cell.identity)
        #expect(try cell.value("item", "x", "title") == "kept" && cell.value("item", "x", "contact") == .null)
        let problems = try cell.store.verify(deep: true).problems
        #expect(problems.count == 1 && problems[0].contains("contact of its change 0, which no erasure names"))
        #expect(try cell.store.history(table: "item", id: "x")[0].erased.map(\.reason) == [nil])
        try take(erasure, cell)
        #expect(try cell.store.verify(deep: true).problems == [])
    }

    @Test("a value that an erasure names and that is there all the same is a fault")
    func broughtBack() throws {
        let block = try #require(try a.store.block(try names(of: a)[0].block))
        try take(try erasure(names(of: a)), a)
        let hex = (block.detached.map { String(format: "%02x", $0) }).joined()
        try SQLiteTool.run(
            "UPDATE kenh_block SET detached = x'\(hex)' WHERE hash = x'\(block.hash.bytes.hex)'", on: a.path)
        let problems = try a.store.verify().problems
        #expect(problems.count == 1 && problems[0].contains("holds contact of its change 0, which was erased"))
    }

    @Test("a change that was struck and is kept for its writer loses the value, too")
    func rejected() throws {
        try a.update("item", "x", "contact", .text(Self.secret + " struck"))
        try a.seal()
        let names = try names(of: a)
        let block = try #require(try a.store.erasable(table: "item", id: "x").last?.name.block)
        let ruling = Ruling(struck: ChangeSet([0]), code: "notGranted", message: "no")
        let item = Delivery.Item(
            hash: block, block: nil,
            acceptance: .init(sequence: 5, acceptedAtMilliseconds: OrganisationFixture.start, ruling: ruling))
        _ = try a.store.take(Delivery(items: [item]), as: a.identity)
        #expect(try a.store.rejected().map { $0.values["contact"] } == [.text(Self.secret + " struck")])
        try take(try erasure(names), a)
        #expect(try a.store.rejected().map(\.values) == [["contact": .null]])
        try a.store.clean()
        #expect(try holders(of: Self.secret, a) == [])
    }

    @Test("blobs in rows with blob ids are erased by their hex")
    func blobs() throws {
        let id = [UInt8](repeating: 0xab, count: 16)
        try a.insert("photo", .blob(id), [("name", "p"), ("content", .blob(Array(Self.secret.utf8)))])
        try organisation.exchange()
        let names = try names(of: b, table: "photo", id.hex)
        #expect(names.map(\.column) == ["content"])
        try take(try erasure(names), b)
        #expect(try b.value("photo", .blob(id), "content") == .null)
    }

    @Test("columns that cannot be erased are refused in words that name those that can")
    func refusals() throws {
        for (table, id, columns, code, words) in [
            ("item", "x", ["title"], StoreError.Code.notErasable, "erasable columns of item are contact"),
            ("task", "x", [], .notErasable, "item.contact, photo.content"),
            ("item", "x", ["nothing"], .notFound, "its erasable columns are contact"),
            ("item", "nobody", [], .notFound, "item has no row nobody"),
            ("nothing", "x", [], .notFound, "no synced table"),
        ] {
            let error = #expect(throws: StoreError.self) {
                try a.store.erasable(table: table, id: id, columns: columns)
            }
            #expect(
                error?.code == code && "\(error.map { "\($0)" } ?? "")".contains(words), "\(String(describing: error))")
        }
    }

    @Test("an entry that carries another erasure than it names, or stands in the registry, is refused")
    func badEntries() throws {
        let good = try erasure(names(of: a))
        #expect(throws: ProtocolError(.brokenLink, "")) {
            try Delivery.Erasure(proof: good.proof, bytes: Erasure(names(of: a), reason: "other").encoded)
        }
        let registry = EntryProof(
            epoch: good.proof.epoch, kind: .erasure, channel: ChannelName.registry, sequence: 1,
            object: good.proof.object, acceptedAtMilliseconds: 0, previous: .zero, signature: [])
        #expect(throws: ProtocolError(.malformed, "")) { try Delivery.Erasure(proof: registry, bytes: good.bytes) }
    }

    @Test("a store of the format before opens, and erases")
    func upgrade() throws {
        let erasure = try erasure(names(of: a))
        try SQLiteTool.run(
            """
            DROP TABLE kenh_erasure; DROP TABLE kenh_erased; DROP TABLE kenh_finality; DROP TABLE kenh_final;
            DROP TABLE kenh_archive; PRAGMA user_version = 5;
            """, on: a.path)
        try a.upgrade(to: TestSchema.schema)
        try take(erasure, a)
        #expect(try a.value("item", "x", "contact") == .null)
    }

    @Test("a change of another channel is left alone")
    func otherChannel() throws {
        let bytes = try Erasure(names(of: a), reason: "r").encoded
        let proof = EntryProof(
            epoch: [UInt8](repeating: 7, count: 16), kind: .erasure, channel: "plan/1", sequence: 1,
            object: Erasure.hash(of: bytes), acceptedAtMilliseconds: 0, previous: .zero, signature: [])
        try take(try Delivery.Erasure(proof: proof, bytes: bytes), a)
        #expect(try a.value("item", "x", "contact") == .text(Self.secret))
    }
}
