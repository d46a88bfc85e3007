import KenhMerge

/// A value of a body that its block keeps outside of all hashes.
public struct CommittedValue: Sendable, Equatable {
    /// In the block, from 0.
    public let change: Int
    /// In the change's table, as the body numbers them.
    public let column: Int
    public let isErased: Bool
}

extension BlockBody {
    public func name(of value: CommittedValue, in block: Hash256) -> Erasure.Name {
        let column = tables[Int(tableRefs[value.change])].columns[value.column]
        return Erasure.Name(block: block, place: value.change, column: column)
    }

    /// Names of its erased values.
    public func erased(in block: Hash256) -> [Erasure.Name] {
        committed.filter(\.isErased).map { name(of: $0, in: block) }
    }
}

extension Block {
    /// The block without the values that `isNamed` says yes to: header, body, hash and signature stay as they are.
    ///
    /// - Parameter body: as it was opened.
    /// - Returns: nil where nothing is to be taken out.
    public func erasing(_ body: BlockBody, where isNamed: (Erasure.Name) -> Bool) throws(ProtocolError) -> Block? {
        guard !body.committed.isEmpty else { return nil }
        var section = try section()
        guard section.items.count == body.committed.count else {
            throw ProtocolError(.malformed, "the block's detached section is not that of its body")
        }
        var isChanged = false
        for (place, value) in body.committed.enumerated()
        where !value.isErased && isNamed(body.name(of: value, in: hash)) {
            section.items[place] = .erased
            isChanged = true
        }
        guard isChanged else { return nil }
        return try Block(
            headerBytes: headerBytes, body: self.body, deviceSignature: deviceSignature,
            officerSignature: officerSignature, detached: section.encoded)
    }

    private func section() throws(ProtocolError) -> DetachedSection {
        let result = detached.withUnsafeBytes { bytes -> Result<DetachedSection, MalformedBytes> in
            do throws(MalformedBytes) { return .success(try DetachedSection(decoding: bytes)) } catch {
                return .failure(error)
            }
        }
        do { return try result.get() } catch {
            throw ProtocolError(.malformed, "the block's detached section is malformed: \(error.reason)")
        }
    }
}
