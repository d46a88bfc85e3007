import KenhMerge
import KenhProtocol
import Testing

/// What other implementations are tested against is what this one does.
@Suite struct VectorTests {
    private func bytes(_ hex: String) throws -> [UInt8] { try #require([UInt8](hex: hex)) }

    private static let blocks = ["block.json", "block-births.json"]

    private func vector(_ name: String) throws -> BlockVector {
        try Vectors.committed(name) { try name == "block.json" ? Vectors.makeBlock() : Vectors.makeBirths() }
    }

    @Test("header, body, hash, signature and content of blocks are ours, byte for byte", arguments: blocks)
    func block(_ name: String) throws {
        let vector = try vector(name)
        let block = try SampleBlock.block(vector)
        #expect(block.hash.bytes.hex == vector.blockHash)
        #expect(Vectors.header(block.header) == vector.header)
        #expect(try block.header.encoded().hex == vector.headerBytes, "the header is written as it was read")
        let key = try PublicKey(bytes: bytes(vector.devicePublicKey))
        #expect(try Vectors.key(vector.deviceSeed).publicKey == key)
        try block.verify(deviceKey: key)
        let plain = try Zstandard().decompress(block.body, plainSize: block.header.plainSize)
        #expect(plain.hex == vector.plainBody)
        #expect(Vectors.changes(of: try Vectors.opened(block), block.header) == vector.changes)
    }

    @Test("the same changes are written as the same plain body and detached section", arguments: blocks)
    func plainBody(_ name: String) throws {
        let vector = try vector(name)
        let (plain, detached) = (name == "block.json" ? Vectors.sample : Vectors.births).builder().finish()
        #expect(plain.hex == vector.plainBody)
        #expect(detached.hex == vector.detached)
    }

    @Test("block-births.json: rows that are named by births have the ids that block.json gives them")
    func births() throws {
        let first = try vector("block.json")
        let second = try vector("block-births.json")
        #expect(second.header.previous == first.blockHash)
        for change in second.changes {
            guard let birth = change.birth else { continue }
            #expect(first.changes.first { $0.counter == birth.counter && $0.kind == "insert" }?.id == change.id)
        }
        #expect(second.changes.compactMap(\.birth).map(\.counter) == [3, 4, 3])
    }

    @Test("entries.json: the hashes of log entries")
    func entries() throws {
        #expect(try Vectors.committed("entries.json", made: Vectors.makeEntries) == Vectors.makeEntries())
    }

    @Test("commitments.json: the commitments to erasable values")
    func commitments() throws {
        #expect(try Vectors.committed("commitments.json", made: Vectors.makeCommitments) == Vectors.makeCommitments())
    }

    @Test("enrolment.json: code, proof, claim and countersignature")
    func enrolment() throws {
        let vector = try Vectors.committed("enrolment.json", made: Vectors.makeEnrolment)
        let made = try Vectors.makeEnrolment()
        #expect(vector.claim == made.claim && vector.organisation == made.organisation)
        #expect(vector.code == made.code && vector.codeID == made.codeID && vector.proof == made.proof)
        let key = try PublicKey(bytes: bytes(vector.devicePublicKey))
        #expect(try key.verifies(bytes(vector.countersignature), of: bytes(vector.claim), domain: .enrolment))
        let typed = try EnrolmentCode(typed: vector.code.lowercased())
        #expect(typed.secret.hex == vector.codeSecret)
        #expect(try typed.pins(rootKey: PublicKey(bytes: bytes(vector.rootPublicKey))))
    }
}
