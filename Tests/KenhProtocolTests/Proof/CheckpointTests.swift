import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct CheckpointTests {
    private let key: SigningKey
    private let checkpoint = Checkpoint(
        origin: Checkpoint.origin(organisation: Hash256(1, 2, 3, 4), epoch: [UInt8](repeating: 7, count: 16)),
        size: 20_852_163, root: Hash256(5, 6, 7, 8))

    init() throws {
        var random = SeededGenerator(seed: 4)
        key = try SigningKey(using: &random)
    }

    // The example of Go's sumdb/note, from which C2SP's signed-note was written down.
    @Test("a note that others signed is read and holds")
    func othersNote() throws {
        let key = try PublicKey(
            bytes: #require([UInt8](hex: "1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6")))
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
        let note = try SignedNote(
            decoding: text + "\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNX"
                + "gKvqfqdngotpRZb6KE6RyyBwJnAM=\n")
        #expect(note.text == text)
        #expect(note.isSigned(by: SignedNote.Signer(name: "PeterNeumann", key: key)))
        #expect(!note.isSigned(by: SignedNote.Signer(name: "EnochRoot", key: key)))
    }

    @Test("a checkpoint is three lines, a gap, and the signature under its origin")
    func text() throws {
        let note = try checkpoint.signed(with: key)
        let lines = note.encoded.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6)
        #expect(
            lines[0] == "kenh/0000000000000001000000000000000200000000000000030000000000000004/"
                + "07070707070707070707070707070707")
        #expect(lines[1] == "20852163")
        #expect(lines[2] == "AAAAAAAAAAUAAAAAAAAABgAAAAAAAAAHAAAAAAAAAAg=")
        #expect(lines[3] == "" && lines[4].hasPrefix("\u{2014} \(lines[0]) ") && lines[5] == "")
        #expect(try SignedNote(decoding: note.encoded) == note)
        #expect(try Checkpoint(SignedNote(decoding: note.encoded), servingKey: key.publicKey) == checkpoint)
    }

    @Test("signatures of others beside it are passed over, and without its own it is refused")
    func others() throws {
        var random = SeededGenerator(seed: 9)
        let other = try SigningKey(using: &random)
        var note = SignedNote(text: checkpoint.text)
        try note.sign(as: "witness.example", with: other)
        #expect(throws: ProtocolError(.badSignature, "")) { try Checkpoint(note, servingKey: key.publicKey) }
        // Its own key under another name is not its own signature.
        try note.sign(as: "kenh/elsewhere", with: key)
        #expect(throws: ProtocolError(.badSignature, "")) { try Checkpoint(note, servingKey: key.publicKey) }
        try note.sign(as: checkpoint.origin, with: key)
        #expect(try Checkpoint(SignedNote(decoding: note.encoded), servingKey: key.publicKey) == checkpoint)
        #expect(throws: ProtocolError(.badSignature, "")) { try Checkpoint(note, servingKey: other.publicKey) }
    }

    @Test("no changed byte passes")
    func changed() throws {
        let bytes = Array(try checkpoint.signed(with: key).encoded.utf8)
        for place in bytes.indices {
            for flip in [UInt8(1), 0x10, 0x20, 0x80] {
                var changed = bytes
                changed[place] ^= flip
                let read = try? Checkpoint(
                    SignedNote(decoding: String(decoding: changed, as: UTF8.self)), servingKey: key.publicKey)
                #expect(read == nil, "byte \(place)")
            }
        }
    }

    @Test(
        "what is no note is refused",
        arguments: [
            "", "\n", "\n\n", "a\n", "a\n\n", "a\n\n\u{2014} b\n", "a\n\n\u{2014} b AAAA\n", "a\n\nb c\n",
            "\n\n\u{2014} b " + String(repeating: "A", count: 92) + "\n", String(repeating: "x", count: 20_000),
        ])
    func noNote(_ text: String) {
        #expect(throws: ProtocolError.self) { try SignedNote(decoding: text) }
    }

    @Test(
        "what is no checkpoint is refused",
        arguments: [
            "o\n1\n", "o\n01\nAAAAAAAAAAUAAAAAAAAABgAAAAAAAAAHAAAAAAAAAAg=\n", "o\n-1\nAAAA\n", "o\n1\nAAAA\n",
            "o\n+1\nAAAAAAAAAAUAAAAAAAAABgAAAAAAAAAHAAAAAAAAAAg=\n",
            "o\n99999999999999999999\nAAAAAAAAAAUAAAAAAAAABgAAAAAAAAAHAAAAAAAAAAg=\n",
        ])
    func noCheckpoint(_ text: String) {
        #expect(throws: ProtocolError.self) { try Checkpoint(text: text) }
    }

    @Test("lines below the root are for others, and are kept under the signature")
    func extensions() throws {
        var note = SignedNote(text: checkpoint.text + "more to come\n")
        try note.sign(as: checkpoint.origin, with: key)
        #expect(try Checkpoint(SignedNote(decoding: note.encoded), servingKey: key.publicKey) == checkpoint)
    }
}
