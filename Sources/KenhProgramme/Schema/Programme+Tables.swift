import KenhStore

/// Dates are TEXT as `2022-06-15`, months as `2022-06`; a seat is an alias such as `CB3-04`.
extension Programme {
    /// What the committee decides; everybody reads it.
    static let organisationTables = [
        Table(
            "unit", channel: .constant(organisationChannel),
            columns: [
                .text("code", .silent), .text("name", .silent),
                // committee, inspection, cell or department
                .text("kind", .silent),
                .text("parent", .mustResolve),
            ]),
        Table(
            "target", channel: .constant(organisationChannel),
            columns: [
                .text("code"), .text("title"), .text("measure"),
                // up or down
                .text("direction"),
                // sum, weightedAverage, ratio, latest, milestone or minimum
                .text("method"),
                .real("baseline"),
                // The end of the yearly path.
                .real("goal"),
                .integer("priority"),
            ]),
        Table(
            "sub_plan", channel: .constant(organisationChannel),
            columns: [
                .text("code"), .text("title"), .text("state"), .integer("breakthrough", default: 0),
                .text("start"), .text("due"), .text("parent", .mustResolve),
            ]),
        // Sets: the id is the two parts, so that adding twice is adding once.
        Table(
            "sub_plan_unit", channel: .constant(organisationChannel),
            columns: [.text("sub_plan", .silent), .text("unit", .silent)]),
        Table(
            "sub_plan_target", channel: .constant(organisationChannel),
            columns: [.text("sub_plan", .silent), .text("target", .silent)]),
    ]

    /// What the units write.
    static let workTables = [
        Table(
            "work_item", channel: .column("channel"),
            columns: [
                .text("sub_plan"), .text("unit"), .text("title", .silent), .text("description"), .text("start"),
                .text("due"), .real("weight"), .text("accountable", .mustResolve),
            ]),
        Table(
            "work_item_helper", channel: .column("channel"),
            columns: [.text("item", .silent), .text("seat", .silent)]),
        // Append-only. `after` has the ids of the transitions that the writer saw as the latest, separated by spaces.
        Table(
            "transition", channel: .column("channel"),
            columns: [
                // work_item or review
                .text("subject_kind"),
                .text("subject"), .text("from_state"), .text("to_state"), .text("reason"), .text("effective_date"),
                .text("actor"), .text("after"),
            ]),
        // Append-only. A correction names in `voids` the entry that it replaces.
        Table(
            "progress_entry", channel: .column("channel"),
            columns: [
                .text("item"), .text("target"), .text("unit"), .text("period"), .text("as_of"), .real("value"),
                .real("numerator"), .real("denominator"), .text("note"), .text("voids"),
            ]),
        Table(
            "review", channel: .column("channel"),
            columns: [
                .text("unit"),
                // month (of a cell), joint (of a sub-plan by its units)
                .text("kind"),
                .text("period"), .text("due"), .text("results", .mustResolve), .text("shortcomings", .mustResolve),
                .text("next_steps", .mustResolve), .integer("items_planned"), .integer("items_done"),
            ]),
    ]

    /// A file that belongs to a row, in whose channel it is. The row travels like any other, the file by itself.
    static let attachmentTable = Table(
        "attachment", channel: .column("channel"),
        columns: [
            .text("subject_table", .silent), .text("subject_id", .silent), .text("name"),
            // Media type, and bytes.
            .text("type", .silent), .integer("size", .silent),
            // In hex.
            .text("sha256", .silent),
            .text("added_at", .silent),
        ])
}
