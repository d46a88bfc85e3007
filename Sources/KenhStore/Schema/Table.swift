import KenhMerge

/// The type of a column, as SQLite's STRICT tables check it.
public enum ColumnType: String, Sendable, CaseIterable {
    case text = "TEXT"
    case integer = "INTEGER"
    case real = "REAL"
    case blob = "BLOB"
}

/// How loud a conflict in a column is.
public enum Loudness: String, Sendable {
    /// The newest is shown; the losers are kept and listed on demand.
    case silent
    /// The newest is shown and people are told.
    case notify
    /// Somebody has to decide.
    case mustResolve
}

/// How concurrent writes of a column merge.
public enum MergeRule: String, Sendable {
    /// Keeps every concurrent value until somebody writes having seen them all.
    case register
    /// An UPDATE adds the difference that it makes, and everybody's differences count once. An INSERT sets, as does
    /// settling a conflict of concurrent inserts. INTEGER NOT NULL with a default; sums wrap at 64 bits.
    case counter
}

/// A synced column.
public struct Column: Sendable, Equatable {
    public let name: String
    public let type: ColumnType
    public let rule: MergeRule
    public let loudness: Loudness
    /// The value travels outside the signed body and can be taken out of history.
    public let isErasable: Bool
    /// Shown where nobody wrote the column.
    public let defaultValue: Value

    public init(
        _ name: String, _ type: ColumnType, rule: MergeRule = .register, loudness: Loudness = .notify,
        erasable: Bool = false, default defaultValue: Value = .null
    ) {
        self.name = name
        self.type = type
        self.rule = rule
        self.loudness = loudness
        isErasable = erasable
        self.defaultValue = defaultValue
    }

    public static func text(
        _ name: String, _ loudness: Loudness = .notify, erasable: Bool = false, default value: Value = .null
    ) -> Column { Column(name, .text, loudness: loudness, erasable: erasable, default: value) }

    public static func integer(_ name: String, _ loudness: Loudness = .notify, default value: Value = .null) -> Column {
        Column(name, .integer, loudness: loudness, default: value)
    }

    /// A number that several people raise and lower at once. An INSERT writes its value; what an UPDATE makes of it is
    /// captured as the difference.
    public static func counter(_ name: String, _ loudness: Loudness = .notify, default value: Value = 0) -> Column {
        Column(name, .integer, rule: .counter, loudness: loudness, default: value)
    }

    public static func real(_ name: String, _ loudness: Loudness = .notify, default value: Value = .null) -> Column {
        Column(name, .real, loudness: loudness, default: value)
    }

    public static func blob(_ name: String, _ loudness: Loudness = .notify, erasable: Bool = false) -> Column {
        Column(name, .blob, loudness: loudness, erasable: erasable)
    }
}

/// The type of a table's ids.
public enum IDType: String, Sendable {
    /// Text; an INSERT without one gets a time-ordered one.
    case text
    /// 16 bytes; an INSERT without one gets random ones.
    case blob
}

/// Which channel a table's rows belong to, for their whole life.
public enum ChannelRule: Sendable, Equatable {
    /// All rows of the table are in one channel.
    case constant(String)
    /// A TEXT column of the table names the channel of each row; it is set at insert and never changes.
    case column(String)
}

/// A synced table. It becomes an ordinary STRICT table with the columns `id`, the channel column where there is one,
/// and the declared columns in their order.
public struct Table: Sendable, Equatable {
    public let name: String
    public let idType: IDType
    public let channel: ChannelRule
    public let columns: [Column]

    public init(_ name: String, id: IDType = .text, channel: ChannelRule, columns: [Column]) {
        self.name = name
        idType = id
        self.channel = channel
        self.columns = columns
    }

    func adding(_ column: Column) -> Table {
        Table(name, id: idType, channel: channel, columns: columns + [column])
    }
}
