import Foundation
import GRDB
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite struct OpeningTests {
    private let organisation: OrganisationFixture
    private var path: String { organisation.directory.appending(path: "file.db").path }

    init() throws { organisation = try OrganisationFixture([]) }

    private func hash() throws -> Hash256 {
        try Data(contentsOf: URL(filePath: path)).withUnsafeBytes { Hashing.plainSHA256($0) }
    }

    private func folder() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: organisation.directory.path).sorted()
    }

    /// Opening the file fails with this code and leaves its every byte.
    private func expectRefused(_ code: StoreError.Code, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let (before, beside) = (try hash(), try folder())
        let error = #expect(throws: StoreError.self, sourceLocation: sourceLocation) {
            try Store(path: path, schema: TestSchema.schema)
        }
        #expect(error?.code == code, "\(error?.description ?? "")", sourceLocation: sourceLocation)
        #expect(error?.advice.isEmpty == false, sourceLocation: sourceLocation)
        #expect(try hash() == before, "the file was touched", sourceLocation: sourceLocation)
        #expect(try folder() == beside, "something was put beside it", sourceLocation: sourceLocation)
    }

    @Test(
        "a file that is no database is refused and untouched",
        arguments: ["x", "SQLite format 4\0 and then something", String(repeating: "Kế hoạch\n", count: 1000)])
    func noDatabase(_ content: String) throws {
        try Data(content.utf8).write(to: URL(filePath: path))
        try expectRefused(.notADatabase)
    }

    @Test("another program's database is refused and untouched", arguments: ["delete", "wal"])
    func foreignDatabase(_ mode: String) throws {
        try SQLiteTool.run("PRAGMA journal_mode=\(mode); CREATE TABLE t(x); INSERT INTO t VALUES(1);", on: path)
        try expectRefused(.notAStore)
    }

    @Test("an empty database that bears another program's mark is refused and untouched")
    func markedDatabase() throws {
        try SQLiteTool.run("PRAGMA application_id=77; PRAGMA user_version=1;", on: path)
        try expectRefused(.notAStore)
    }

    @Test("a store of a newer format is refused and untouched")
    func newerFormat() throws {
        _ = try Store(path: path, schema: TestSchema.schema)
        try SQLiteTool.run("PRAGMA user_version=99;", on: path)
        try expectRefused(.newerVersion)
    }

    @Test("a store of a newer schema is refused and untouched")
    func newerSchema() throws {
        let later = TestSchema.make([TestSchema.first, Migration(2, [.column(.text("colour"), in: "item")])])
        _ = try Store(path: path, schema: later)
        try expectRefused(.newerVersion)
    }

    @Test("the centre's log keeps off other files, too", arguments: ["delete", "wal"])
    func foreignLog(_ mode: String) throws {
        try SQLiteTool.run("PRAGMA journal_mode=\(mode); CREATE TABLE t(x); INSERT INTO t VALUES(1);", on: path)
        let before = try hash()
        #expect(throws: StoreError.self) {
            try DurableDatabase(path: path, applicationID: 5, format: 1, ddl: "CREATE TABLE log(x)")
        }
        #expect(try hash() == before)
    }

    @Test("an empty file becomes a store, a missing one only where it may")
    func newFiles() throws {
        let error = #expect(throws: StoreError.self) {
            try Store(path: path, schema: TestSchema.schema, mustExist: true)
        }
        #expect(error?.code == .notFound)
        #expect(!FileManager.default.fileExists(atPath: path))
        try Data().write(to: URL(filePath: path))
        let store = try Store(path: path, schema: TestSchema.schema, mustExist: true)
        #expect(try store.verify(deep: true).isGood)
    }

    @Test("a folder that is not there is said in words")
    func missingFolder() throws {
        let error = #expect(throws: StoreError.self) {
            try Store(path: "/nonexistent/folder/file.db", schema: TestSchema.schema)
        }
        #expect(error?.code == .io)
        #expect(error?.advice.isEmpty == false)
    }

    @Test("an open store is durable: what SQLite says is what was asked for")
    func durability() throws {
        let store = try Store(path: path, schema: TestSchema.schema)
        let wanted = Durability.current
        #expect(try store.rows("PRAGMA journal_mode").first?["journal_mode"] == .text(wanted.journalMode))
        #expect(try store.rows("PRAGMA synchronous").first?["synchronous"] == .integer(wanted.synchronous))
        #expect(try store.status().durability == wanted)
    }

    @Test(
        "the version of SQLite decides how a store is written",
        arguments: [
            (Int32(3_040_001), Durability.rollbackJournal), (3_051_002, .rollbackJournal), (3_051_003, .writeAheadLog),
        ])
    func versions(_ version: Int32, _ durability: Durability) {
        #expect(Durability.forSQLite(versionNumber: version) == durability)
    }

    @Test("a rollback journal is written with EXTRA and a write-ahead log with FULL: less loses committed writes")
    func levels() {
        #expect(Durability.rollbackJournal.synchronous == 3)
        #expect(Durability.writeAheadLog.synchronous == 2)
    }

    @Test("a store that cannot be made durable is refused")
    func notDurable() throws {
        let error = #expect(throws: StoreError.self) { try Store(path: ":memory:", schema: TestSchema.schema) }
        #expect(error?.code == .notDurable)
    }

    @Test("what was written is there when the store is opened again, sealed or not")
    func reopen() throws {
        let cell = try organisation.add("A")
        try organisation.add("B")
        try cell.insert("item", "sealed", [("title", "1")])
        try cell.seal()
        try cell.insert("item", "pending", [("title", "2")])
        try cell.upgrade(to: TestSchema.schema)
        try organisation.exchange()
        #expect(try organisation["B"].count("SELECT count(*) FROM item") == 2)
    }

    @Test(
        "a mistaken schema is refused in words",
        arguments: [
            [Migration(2, [])], [Migration(1, []), Migration(3, [])],
            [Migration(1, [.table(TestSchema.item), .table(TestSchema.item)])],
            [Migration(1, [.table(Table("Kế hoạch", channel: .constant("org"), columns: []))])],
            [Migration(1, [.table(Table("kenh_row", channel: .constant("org"), columns: []))])],
            [Migration(1, [.table(Table("t", channel: .constant("kenh/registry"), columns: []))])],
            [Migration(1, [.table(Table("t", channel: .constant("kế hoạch"), columns: []))])],
            [Migration(1, [.table(Table("t", channel: .constant("org"), columns: [.text("a"), .text("A")]))])],
            [Migration(1, [.table(Table("t", channel: .constant("org"), columns: [.text("id")]))])],
            [Migration(1, [.table(Table("t", channel: .column("c"), columns: [.text("c")]))])],
            [Migration(1, [.table(Table("t", channel: .constant("org"), columns: [.text("a", default: 1)]))])],
            [Migration(1, [.table(Table("t", channel: .constant("org"), columns: [.text("a", default: "x\0")]))])],
            [
                Migration(
                    1, [.table(Table("t", channel: .constant("org"), columns: [.real("a", default: .real(.nan))]))])
            ],
            [
                Migration(
                    1,
                    [.table(Table("t", channel: .constant("org"), columns: [.text("a", erasable: true, default: "x")]))]
                )
            ],
            [Migration(1, [.table(Table("t", channel: .constant("org"), columns: (0..<63).map { .text("c\($0)") }))])],
            [Migration(1, [.column(.text("a"), in: "nowhere")])],
            [Migration(1, [.index("i", on: "nowhere", columns: [])])],
            [Migration(1, [.table(TestSchema.item), .index("i", on: "item", columns: ["nothing"])])],
        ])
    func mistakenSchema(_ migrations: [Migration]) throws {
        let error = #expect(throws: StoreError.self) { try Schema(migrations) }
        #expect(error?.code == .schema)
        #expect(error?.advice.isEmpty == false)
    }

    @Test("defaults of every type, and the widest table that is allowed, work")
    func widestTable() throws {
        let columns = [
            Column("t", .text, default: "it's 'đ'"), Column("i", .integer, default: .integer(.min)),
            Column("r", .real, default: 1e-7), Column("b", .blob, default: .blob([0, 255])),
        ]
        let wide = Table("wide", channel: .constant("org"), columns: (0..<62).map { .integer("c\($0)") })
        let schema = TestSchema.make([
            Migration(1, [.table(Table("d", channel: .constant("org"), columns: columns)), .table(wide)])
        ])
        let a = try organisation.add("A", schema: schema)
        try organisation.add("B", schema: schema)
        try a.insert("d", "x")
        try a.sql("INSERT INTO wide(id, c0, c61) VALUES('w', 1, 2)")
        try organisation.exchange()
        try organisation["B"].sql("UPDATE wide SET c61 = 3, c30 = 4")
        try organisation.exchange()
        let row = try organisation["B"].store.rows("SELECT * FROM d").first
        #expect(
            row?["t"] == "it's 'đ'" && row?["i"] == .integer(.min) && row?["r"] == 1e-7 && row?["b"] == .blob([0, 255]))
        #expect(try organisation.everywhere { try $0.count("SELECT c0 * 100 + c30 * 10 + c61 FROM wide") } == 143)
    }
}
