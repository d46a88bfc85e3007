import KenhProtocol

/// A proof as it lies in a store: its message.
extension EntryProof {
    var stored: [UInt8] { (try? WireCoding.encode(wire)) ?? [] }

    /// Nil where the bytes are damaged: what cannot be proved is only offered without proof.
    init?(stored bytes: [UInt8]) {
        guard let wire = try? WireCoding.decode(WireEntryProof.self, from: bytes), let proof = try? Self(wire) else {
            return nil
        }
        self = proof
    }
}
