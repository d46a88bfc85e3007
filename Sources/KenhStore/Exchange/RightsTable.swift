import KenhMerge
import KenhProtocol

/// Roles and grants as a database keeps them: a cell's store as it followed the registry, the centre's log as it stated
/// them. Of one name, and of one cell and channel, the one that was stated later counts.
package struct RightsTable {
    private let sql: StatementCache
    private let roleTable: String
    private let grantTable: String

    /// - Parameter prefix: of the tables' names, such as `kenh_`.
    package init(sql: StatementCache, prefix: String) {
        (self.sql, roleTable, grantTable) = (sql, prefix + "role", prefix + "grant")
    }

    package static func ddl(prefix: String) -> String {
        """
        CREATE TABLE \(prefix)role(
            name TEXT PRIMARY KEY NOT NULL, definition BLOB NOT NULL, stated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE \(prefix)grant(
            cell TEXT NOT NULL, channel TEXT NOT NULL, role TEXT NOT NULL, stated_at INTEGER NOT NULL,
            PRIMARY KEY(cell, channel)) STRICT, WITHOUT ROWID;
        """
    }

    package func add(_ role: Role) throws(StoreError) {
        let insert = try sql(
            """
            INSERT INTO \(roleTable)(name, definition, stated_at) VALUES(?1, ?2, ?3)
            ON CONFLICT(name) DO UPDATE SET definition = ?2, stated_at = ?3 WHERE stated_at <= ?3
            """)
        insert.bind(1, copying: role.name)
        insert.bind(2, copying: role.encoded)
        insert.bind(3, role.statedAtMilliseconds)
        try insert.run()
    }

    package func add(_ grant: Grant) throws(StoreError) {
        let insert = try sql(
            """
            INSERT INTO \(grantTable)(cell, channel, role, stated_at) VALUES(?1, ?2, ?3, ?4)
            ON CONFLICT(cell, channel) DO UPDATE SET role = ?3, stated_at = ?4 WHERE stated_at <= ?4
            """)
        insert.bind(1, copying: grant.cell)
        insert.bind(2, copying: grant.channel)
        insert.bind(3, copying: grant.role)
        insert.bind(4, grant.statedAtMilliseconds)
        try insert.run()
    }

    /// In the order of their names.
    package func roles() throws -> [Role] {
        let read = try sql("SELECT definition, stated_at FROM \(roleTable) ORDER BY name")
        defer { read.reset() }
        var roles: [Role] = []
        while try read.step() {
            roles.append(
                try Role(
                    WireCoding.decode(WireRoleDefined.self, from: read.array(0)), statedAtMilliseconds: read.int(1)))
        }
        return roles
    }

    /// In the order of their channels and cells; of one cell those that may concern it.
    package func grants(of cell: String?) throws(StoreError) -> [Grant] {
        let read = try sql(
            """
            SELECT cell, channel, role, stated_at FROM \(grantTable)
            WHERE ?1 IS NULL OR cell IN (?1, '\(Grant.everyCell)') ORDER BY channel, cell
            """)
        defer { read.reset() }
        read.bind(1, copying: cell.map { .text($0) } ?? .null)
        var grants: [Grant] = []
        while try read.step() {
            grants.append(
                Grant(
                    cell: read.string(0), channel: read.string(1), role: read.string(2),
                    statedAtMilliseconds: read.int(3)))
        }
        return grants
    }
}
