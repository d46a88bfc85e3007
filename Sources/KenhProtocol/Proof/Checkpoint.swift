import KenhMerge

/// How large a log was and what its root was then, as the text of a signed note (C2SP tlog-checkpoint): the log's origin,
/// its size in decimal, the base64 of its root, each on a line of its own. Further lines are passed over.
public struct Checkpoint: Sendable, Equatable {
    /// Which log: `NAME/ORGANISATION/EPOCH`, the latter two in hex.
    public let origin: String
    public let size: UInt64
    public let root: Hash256

    public init(origin: String, size: UInt64, root: Hash256) {
        (self.origin, self.size, self.root) = (origin, size, root)
    }

    /// - Parameter epoch: 16 bytes.
    public static func origin(organisation: Hash256, epoch: [UInt8]) -> String {
        "kenh/\(organisation.bytes.hex)/\(epoch.hex)"
    }

    /// Of the log's life, 16 bytes; nil where the origin is of another form.
    public var epoch: [UInt8]? {
        guard let hex = origin.utf8.split(separator: 0x2F).last, hex.count == 2 * EntryProof.epochBytes else {
            return nil
        }
        return [UInt8](hex: String(decoding: hex, as: UTF8.self))
    }

    public var text: String { "\(origin)\n\(size)\n\(Base64.encode(root.bytes))\n" }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(text: String) throws(ProtocolError) {
        let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { String($0) }
        guard lines.count >= 4, let origin = lines[0], !origin.isEmpty, let digits = lines[1],
            let size = UInt64(digits), digits == "\(size)", let root = lines[2].flatMap(Base64.decode),
            let hash = Hash256(bytes: root)
        else { throw ProtocolError(.malformed, "this is no checkpoint of a log") }
        self.init(origin: origin, size: size, root: hash)
    }

    /// Whether the log went on from an earlier checkpoint of it.
    /// - Parameter proof: from the earlier size to this one.
    public func continues(_ earlier: Checkpoint, _ proof: [Hash256]) -> Bool {
        MerkleProof.holds(consistencyFrom: earlier.size, earlier.root, to: size, root, proof)
    }

    /// Whether an entry is in the log, at a position from 1.
    public func holds(entry hash: Hash256, at position: UInt64, _ path: [Hash256]) -> Bool {
        position > 0
            && MerkleProof.holds(
                inclusionOf: MerkleHash.leaf(hash.bytes), at: position - 1, size: size, root: root, path)
    }

    // MARK: signed

    /// The note that the serving key signs, under the log's origin as its name.
    public func signed(with servingKey: SigningKey) throws(ProtocolError) -> SignedNote {
        var note = SignedNote(text: text)
        try note.sign(as: origin, with: servingKey)
        return note
    }

    /// - Throws: ``ProtocolError`` with code `malformed`, or `badSignature` where the key did not sign it for its origin.
    public init(_ note: SignedNote, servingKey: PublicKey) throws(ProtocolError) {
        try self.init(note, keys: ServingKeys(servingKey))
    }

    /// One that was made under any of the keys.
    public init(_ note: SignedNote, keys: ServingKeys) throws(ProtocolError) {
        try self.init(text: note.text)
        let name = origin
        guard ([keys.current] + keys.earlier).contains(where: { note.isSigned(by: .init(name: name, key: $0)) }) else {
            throw ProtocolError(.badSignature, "the centre did not sign this checkpoint of its log")
        }
    }
}
