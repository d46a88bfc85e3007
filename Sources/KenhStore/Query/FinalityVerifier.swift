import KenhMerge
import KenhProtocol

/// Checks that what is deleted for good is what the centre signed, all of it, and in no row's state.
struct FinalityVerifier {
    let core: StoreCore

    func run(_ report: inout VerifyReport) throws {
        var listed: [Hash256: ChangeSet] = [:]
        let read = try core.sql("SELECT object, proof, content FROM kenh_finality")
        defer { read.reset() }
        while try read.step() {
            guard let proof = EntryProof(stored: read.array(1)), proof.object.bytes == read.array(0),
                let finality = try? Delivery.Finality(proof: proof, bytes: read.array(2))
            else {
                report.add("an entry on final deletions is not the one that the centre signed")
                continue
            }
            for part in finality.content.blocks {
                listed[part.hash] = (listed[part.hash] ?? ChangeSet()).union(part.changes)
            }
        }
        for (hash, changes) in listed where try core.finals.changes(of: hash) != changes {
            report.add("the list of what of block \(hash) is deleted for good is not what the centre signed")
        }
        guard core.finals.hasAny else { return }
        // A state that cannot be read was reported before.
        do { try checkRows(&report) } catch let error as StoreError where error.code == .corrupt { return }
    }

    private func checkRows(_ report: inout VerifyReport) throws {
        try core.rows.forEach(of: core.catalogue) { row, _, state in
            for write in state.writes {
                let place = try core.index.place(of: write.dot)
                guard try core.finals.changes(of: place.hash).contains(Int(place.index)) else { continue }
                let table = core.catalogue.tables[row.table]?.name ?? "?"
                report.add("a row of \(table) has a write that is deleted for good")
            }
        }
    }
}
