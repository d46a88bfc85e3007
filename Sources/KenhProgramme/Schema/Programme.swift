import KenhStore

/// The programme's data: how the units of an organisation plan their work and report it back.
public enum Programme {
    /// Made of constants, so that a mistake in it is a programmer's.
    public static let schema: Schema = {
        do {
            return try Schema([migration1, migration2, migration3])
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    static let migration1 = Migration(
        1,
        organisationTables.map(Migration.Step.table) + workTables.map(Migration.Step.table) + [
            .index("sub_plan_unit_by_unit", on: "sub_plan_unit", columns: ["unit"]),
            .index("sub_plan_target_by_target", on: "sub_plan_target", columns: ["target"]),
            .index("work_item_by_plan", on: "work_item", columns: ["sub_plan", "unit"]),
            .index("work_item_by_unit_due", on: "work_item", columns: ["unit", "due"]),
            .index("work_item_helper_by_item", on: "work_item_helper", columns: ["item"]),
            .index("transition_by_subject", on: "transition", columns: ["subject", "effective_date"]),
            .index("progress_entry_by_item", on: "progress_entry", columns: ["item", "as_of"]),
            .index("progress_entry_by_target", on: "progress_entry", columns: ["target", "period"]),
            .index("review_by_unit", on: "review", columns: ["unit", "period"]),
        ])

    static let migration2 = Migration(
        2,
        [
            .table(attachmentTable),
            .index("attachment_by_subject", on: "attachment", columns: ["subject_table", "subject_id"]),
        ])

    /// Whom to ask, by name or number: it can be taken out of the history again.
    static let migration3 = Migration(
        3,
        [
            .column(.text("contact", .silent, erasable: true), in: "unit"),
            .column(.text("contact", .silent, erasable: true), in: "work_item"),
        ])
}

extension Programme {
    /// The channel of what is the whole organisation's; the committee writes it.
    public static let organisationChannel = "org"

    /// The channel of a sub-plan: the committee and the units that carry it read and write.
    public static func channel(plan code: String) -> String { "plan/\(code)" }

    /// The channel between a cell and the committee.
    public static func channel(cell code: String) -> String { "cell/\(code)" }
}
