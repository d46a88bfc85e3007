/// Step X: one centre and one cell over loopback HTTP, all inserts from the cell's table to the centre's merged table
/// (``Step/exchangeUp``); then to a second cell (``Step/exchangeDown``).
///
/// A step that gives no samples is left out of the table and of the JSON.
struct ExchangeStep {
    /// The inserts.
    let base: ItemRows
    /// An empty folder of this run's own, removed after it.
    let folder: String

    /// - Returns: one sample for each direction; values in rows a second.
    func run() async throws -> [Sample] { [] }
}
