import KenhMerge
import KenhStore
import Testing

@Suite("What a store's own records say and cannot be") struct DamagedRecordTests {
    @Test(
        "is said to be damage, before anything is done with it",
        arguments: [
            "UPDATE kenh_branch SET parent = number", "UPDATE kenh_branch SET parent = -1",
            "UPDATE kenh_branch SET number = 9223372036854775807 WHERE number = 1",
            "UPDATE kenh_branch SET number = -1 WHERE number = 1",
            "UPDATE kenh_channel SET number = -1 WHERE number = 1",
            "UPDATE kenh_channel SET number = 9223372036854775807 WHERE number = 1",
            "UPDATE kenh_table SET number = 9223372036854775807 WHERE number = 1",
            "UPDATE kenh_table SET number = -1 WHERE number = 1",
            "DELETE FROM kenh_column WHERE tbl = 1 AND number = 0",
            "UPDATE kenh_column SET name = 'other' WHERE tbl = 1 AND number = 0",
            "WITH RECURSIVE n(i) AS (SELECT 20 UNION ALL SELECT i + 1 FROM n WHERE i < 99) "
                + "INSERT INTO kenh_column(tbl, number, name, is_declared) SELECT 1, i, 'c' || i, 0 FROM n",
        ])
    func damaged(_ sql: String) throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try a.insert("item", "x", [("title", "t")])
        try b.insert("item", "y", [("title", "u")])
        try organisation.exchange()
        try SQLiteTool.run(sql + ";", on: a.path)
        let error = #expect(throws: StoreError.self) { try a.store.outbox(as: a.identity, limitBytes: 1000) }
        #expect(error?.code == .corrupt)
        #expect(error?.advice.isEmpty == false)
    }
}
