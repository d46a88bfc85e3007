import KenhMerge
import KenhStore
import Testing

@Suite("What is merged") struct MergedTests {
    @Test(
        "is no change of one's own, whatever is written first after own changes",
        arguments: ["insert", "update", "delete"])
    func uncaptured(_ kind: String) throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try a.insert("item", "x", [("title", "t")])
        try organisation.exchange()
        switch kind {
        case "insert": try a.insert("item", "y", [("title", "u")])
        case "update": try a.update("item", "x", "title", "u")
        default: try a.delete("item", "x")
        }
        // The triggers are on when the merge begins.
        try b.insert("item", "own", [("title", "v")])
        try organisation.exchange()
        #expect(try b.store.status().pendingChanges == 0)
        // And on again for what comes then.
        try b.update("item", "own", "title", "w")
        #expect(try b.store.status().pendingChanges == 1)
        try organisation.exchange()
        #expect(try a.value("item", "own", "title") == "w")
    }
}
