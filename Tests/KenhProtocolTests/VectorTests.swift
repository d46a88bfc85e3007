import KenhMerge
import KenhProtocol
import Testing

/// What other implementations are tested against is what this one does.
@Suite struct VectorTests {
    private func bytes(_ hex: String) throws -> [UInt8] { try #require([UInt8](hex: hex)) }

    @Test("block.json: header, body, hash, signature and content are ours, byte for byte")
    func block() throws {
        let vector = try Vectors.committed("block.json", made: Vectors.makeBlock)
        let block = try Block(
            headerBytes: bytes(vector.headerBytes), body: bytes(vector.body),
            deviceSignature: bytes(vector.deviceSignature), officerSignature: [], detached: bytes(vector.detached))
        #expect(block.hash.bytes.hex == vector.blockHash)
        #expect(Vectors.header(block.header) == vector.header)
        #expect(try block.header.encoded().hex == vector.headerBytes, "the header is written as it was read")
        let key = try PublicKey(bytes: bytes(vector.devicePublicKey))
        #expect(try Vectors.key(vector.deviceSeed).publicKey == key)
        try block.verify(deviceKey: key)
        let plain = try Zstandard().decompress(block.body, plainSize: block.header.plainSize)
        #expect(plain.hex == vector.plainBody)
        #expect(Vectors.changes(of: try BlockCodec().open(block), block.header) == vector.changes)
    }

    @Test("block.json: the same changes are written as the same plain body and detached section")
    func plainBody() throws {
        let vector = try Vectors.committed("block.json", made: Vectors.makeBlock)
        let (plain, detached) = Vectors.sample.builder().finish()
        #expect(plain.hex == vector.plainBody)
        #expect(detached.hex == vector.detached)
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
