import KenhStore
import KenhWords

/// What a cell does in one sitting of the played month.
public struct DemoStep: Sendable {
    public enum Action: Sendable {
        /// In one transaction of the store.
        case write(@Sendable (StoreTransaction) throws -> Void)
        /// By the plain sqlite3 command, on the cell's database file.
        case sql(String)
    }

    public let cell: String
    public let date: CivilDate
    /// The alias of the seat that does it.
    public let officer: String
    public let words: Bilingual
    public let action: Action
    /// What ``action`` does, where it goes through the store.
    public let changes: [DemoChange]

    init(_ cell: String, _ date: CivilDate, officer: String, _ words: Bilingual, _ changes: [DemoChange]) {
        self.cell = cell
        self.date = date
        self.officer = officer
        self.words = words
        self.changes = changes
        action = .write { transaction in
            for change in changes { try change.apply(to: transaction) }
        }
    }

    init(_ cell: String, _ date: CivilDate, officer: String, _ words: Bilingual, sql: String) {
        self.cell = cell
        self.date = date
        self.officer = officer
        self.words = words
        changes = []
        action = .sql(sql)
    }
}
