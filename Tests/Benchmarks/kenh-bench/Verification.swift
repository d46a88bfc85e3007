/// Checks outside of the timed parts.
enum Verification {
    /// Two stores merged the same changes and show the same.
    static func same(_ a: BenchStore, _ b: BenchStore) throws {
        try WrongResult.check(try a.digest() == b.digest(), "digests of \(a.path) and \(b.path) differ")
        try sameRows(a.path, b.path)
    }

    /// Two files' tables hold the same rows, value for value.
    static func sameRows(_ a: String, _ b: String) throws {
        let database = try RawDatabase(a)
        try database.execute("ATTACH '\(b)' AS other")
        let (mine, theirs) = (
            "SELECT \(ItemTable.columns) FROM main.item", "SELECT \(ItemTable.columns) FROM other.item"
        )
        let count = try database.integer("SELECT count(*) FROM main.item")
        try WrongResult.check(try database.integer("SELECT count(*) FROM other.item") == count, "row counts differ")
        let missing = try database.integer("SELECT count(*) FROM (\(mine) EXCEPT \(theirs))")
        try WrongResult.check(missing == 0, "\(missing) rows of \(a) are others in \(b)")
    }
}
