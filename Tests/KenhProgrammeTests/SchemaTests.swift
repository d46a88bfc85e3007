import KenhProgramme
import KenhStore
import Testing

@Suite struct SchemaTests {
    @Test("the schema is valid and has the tables of the programme")
    func tables() {
        #expect(Programme.schema.version == 3)
        let names = [
            "unit", "target", "sub_plan", "sub_plan_unit", "sub_plan_target", "work_item", "work_item_helper",
            "transition", "progress_entry", "review", "attachment",
        ]
        #expect(Programme.schema.tables.map(\.name) == names)
    }

    @Test("what the committee decides is in one channel, what units write in a channel of the row")
    func channels() {
        for table in Programme.schema.tables {
            let isOrganisation = ["unit", "target", "sub_plan", "sub_plan_unit", "sub_plan_target"].contains(table.name)
            #expect(table.channel == (isOrganisation ? .constant("org") : .column("channel")))
        }
        #expect(
            ChannelName.isValid(Programme.channel(plan: "KH1")) && ChannelName.isValid(Programme.channel(cell: "CB1")))
    }

    @Test("what people have to decide together is loud")
    func loudness() throws {
        let loud = Programme.schema.tables.flatMap { table in
            table.columns.filter { $0.loudness == .mustResolve }.map { "\(table.name).\($0.name)" }
        }
        let expected = [
            "unit.parent", "sub_plan.parent", "work_item.accountable", "review.results", "review.shortcomings",
            "review.next_steps",
        ]
        #expect(loud == expected)
        #expect(
            try #require(Programme.schema.table("work_item")).columns.first { $0.name == "title" }?.loudness == .silent)
    }
}
