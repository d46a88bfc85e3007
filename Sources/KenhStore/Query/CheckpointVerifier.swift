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
        var key: PublicKey?
        if case .blob(let bytes) = try core.meta.value("serving_key") { key = try? PublicKey(bytes: bytes) }
        for (number, note) in notes.enumerated() where !Self.isGood(note, key) {
            report.add("checkpoint \(number + 1) of the centre's log is not the one that it signed")
        }
    }

    /// - Parameter key: nil before the store has joined, and where another program keeps it.
    private static func isGood(_ note: String, _ key: PublicKey?) -> Bool {
        guard let signed = try? SignedNote(decoding: note) else { return false }
        guard let key else { return (try? Checkpoint(text: signed.text)) != nil }
        return (try? Checkpoint(signed, servingKey: key)) != nil
    }
}
