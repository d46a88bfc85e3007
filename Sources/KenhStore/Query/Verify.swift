import KenhMerge
import KenhProtocol

extension Store {
    /// Checks the store against itself: SQLite's own structures, every block (bytes, link to its predecessor,
    /// signature, body), the digest of every channel against a scan of the row states, and that every row that should
    /// be shown has a line and every line a row.
    ///
    /// SQLite has no checksums, so a flipped bit in a value that is only in a table shows up in a `deep` check alone:
    /// it rebuilds all rows from the blocks in a temporary file, as large as the store, and compares every value.
    /// Nothing is changed, and others cannot write meanwhile.
    ///
    /// - Parameter progress: told how many steps of how many are done.
    /// - Throws: ``StoreError`` where the store cannot be read at all; what is wrong with it is in the report.
    public func verify(
        deep: Bool = false, progress: ((Int, Int) -> Void)? = nil
    ) throws(StoreError) -> VerifyReport {
        try reading { core in
            var report = VerifyReport()
            try checkPages(core, &report)
            var steps = VerifyProgress(total: try core.blocks.count() * (deep ? 2 : 1), tell: progress)
            var blocks = BlockVerifier(core: core)
            try blocks.run(&report, &steps)
            var rows = try RowVerifier(core: core)
            try rows.run(&report)
            try PendingVerifier(core: core).run(&report)
            try RegistryVerifier(core: core).run(&report)
            try CheckpointVerifier(core: core).run(&report)
            try ErasureVerifier(core: core).run(&report)
            try FinalityVerifier(core: core).run(&report)
            if deep, blocks.areReadable {
                try RebuildComparison(core: core, schema: schema, random: makeRandom()).run(&report, &steps)
            }
            return report
        }
    }

    private func checkPages(_ core: StoreCore, _ report: inout VerifyReport) throws(StoreError) {
        let read = try core.sql("PRAGMA integrity_check(20)")
        defer { read.reset() }
        while try read.step() {
            let line = read.string(0)
            if line != "ok" { report.add("the database file is damaged: \(line)") }
        }
    }
}

/// Counts steps for whoever waits.
struct VerifyProgress {
    let total: Int
    let tell: ((Int, Int) -> Void)?
    private var done = 0

    init(total: Int, tell: ((Int, Int) -> Void)?) {
        self.total = total
        self.tell = tell
    }

    mutating func step() {
        done += 1
        tell?(done, total)
    }
}
