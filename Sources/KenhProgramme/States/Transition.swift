import KenhStore

/// A row of the table `transition`: somebody moved something from one state to another.
public struct Transition: Sendable, Hashable {
    public let id: String
    public let subject: String
    /// Raw values of the subject's states; a newer version may have written ones that this one does not know.
    public let from: String
    public let to: String
    /// The stated date, as `2022-06-15`.
    public let effectiveDate: String
    /// The ids of the transitions that the writer saw as the latest.
    public let after: [String]

    public init(
        id: String, subject: String, from: String, to: String, effectiveDate: String = "", after: [String] = []
    ) {
        self.id = id
        self.subject = subject
        self.from = from
        self.to = to
        self.effectiveDate = effectiveDate
        self.after = after
    }

    /// From a row with the columns of ``columns``.
    package init(_ row: StoredRow) {
        self.init(
            id: row["id"].string ?? "", subject: row["subject"].string ?? "", from: row["from_state"].string ?? "",
            to: row["to_state"].string ?? "", effectiveDate: row["effective_date"].string ?? "",
            after: (row["after"].string ?? "").split(separator: " ").map(String.init))
    }

    package static let columns = "id, subject, from_state, to_state, effective_date, after"
}
