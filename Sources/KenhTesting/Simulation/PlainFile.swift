import KenhMerge
import KenhStore

/// Another program that has a store's file open, through a plain connection of its own.
package final class PlainFile {
    private let file: DurableDatabase

    package init(_ path: String, durability: Durability = .current) throws {
        file = try DurableDatabase(
            path: path, applicationID: 0x4B45_4E48, format: .max, ddl: "",
            durability: durability)
    }

    /// Runs `body` in one transaction.
    package func write(_ body: (PlainSQL) throws -> Void) throws {
        try file.write { try body(PlainSQL(statements: $0)) }
    }
}
