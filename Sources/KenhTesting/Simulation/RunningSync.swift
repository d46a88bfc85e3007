import KenhCell
import KenhProtocol

/// A sync of a cell that has begun: the cell's own driver, stopped in the middle of its request.
final class RunningSync {
    let strand: Strand<Parcel>
    /// The number of the request whose answer it waits for.
    let awaited: () -> UInt64
    /// Nil while it runs.
    let result: () -> Result<SyncReport, any Error>?
    /// How long the ledger was when everything was last sealed and sent.
    var sentLedger: Int

    init(
        strand: Strand<Parcel>, sentLedger: Int, awaited: @escaping () -> UInt64,
        result: @escaping () -> Result<SyncReport, any Error>?
    ) {
        self.strand = strand
        self.sentLedger = sentLedger
        self.awaited = awaited
        self.result = result
    }
}
