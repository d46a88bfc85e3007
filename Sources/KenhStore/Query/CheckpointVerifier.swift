import KenhMerge
import KenhProtocol

/// Checks that the centre signed every checkpoint that is kept.
struct CheckpointVerifier {
    let core: StoreCore

    func run(_ report: inout VerifyReport) throws {
        let read = try core.sql("SELECT note FROM kenh_checkpoint ORDER BY number")
        defer { read.reset() }
        var notes: [String] = []
        while try read.step() { notes.append(read.string(0)) }
        let keys = try CentreFacts(meta: core.meta).keys()
        for (number, note) in notes.enumerated() where !Self.isGood(note, keys) {
            report.add("checkpoint \(number + 1) of the centre's log is not the one that it signed")
        }
    }

    /// - Parameter keys: nil before the store has joined, and where another program keeps it.
    private static func isGood(_ note: String, _ keys: ServingKeys?) -> Bool {
        guard let signed = try? SignedNote(decoding: note) else { return false }
        guard let keys else { return (try? Checkpoint(text: signed.text)) != nil }
        return (try? Checkpoint(signed, keys: keys)) != nil
    }
}
