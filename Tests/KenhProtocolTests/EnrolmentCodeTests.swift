import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct EnrolmentCodeTests {
    private func code(seed: UInt64) throws -> (code: EnrolmentCode, rootKey: PublicKey) {
        var dice = SeededGenerator(seed: seed)
        let rootKey = try SigningKey(using: &dice).publicKey
        return (EnrolmentCode(organisation: rootKey.organisationFingerprint, using: &dice), rootKey)
    }

    @Test("a code is 34 characters in groups of five, without I, L, O and U")
    func shape() throws {
        for seed in 0..<200 as Range<UInt64> {
            let text = try code(seed: seed).code.text
            let groups = text.split(separator: "-" as Character).map(\.count)
            #expect(groups == [5, 5, 5, 5, 5, 5, 4])
            #expect(text.utf8.allSatisfy { "-0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8.contains($0) })
        }
    }

    @Test("text, id, proof and fingerprint of given bytes never change")
    func vector() throws {
        let fingerprint = try #require(Hash256(bytes: [UInt8](10..<42)))
        let code = try EnrolmentCode(secret: [UInt8](0..<10), organisation: fingerprint)
        #expect(code.text == "000G4-0R40M-30E20-9185G-R38E1-W8124-GKWY")
        #expect(code.codeID.hex == "674befedce6ba1d9")
        let key = try PublicKey(
            bytes: #require([UInt8](hex: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")))
        let replica = try #require(ReplicaID(bytes: [UInt8](0x50..<0x60)))
        let proof = code.proof(organisation: fingerprint, deviceKey: key, replica: replica)
        #expect(proof.hex == "c375a6d7ebcb50452e2a34a606657b474ec480effcd0f53778067f96caa9d194")
        #expect(
            key.organisationFingerprint.bytes.hex
                == "c54433bfcff7f89b6473a4e70a7892ba6334387b2bab7239c000079213da9e0e")
    }

    @Test("what is printed is read again, however it is typed")
    func roundTrip() throws {
        for seed in 0..<200 as Range<UInt64> {
            let code = try code(seed: seed).code
            let plain = code.text.filter { $0 != "-" }
            let zeros = String(plain.map { $0 == "0" ? "o" : $0 })
            let ones = String(plain.enumerated().map { $1 == "1" ? ($0.isMultiple(of: 2) ? "l" : "I") : $1 })
            let spaced = code.text.replacing("-", with: " – ")
            for typed in [code.text, plain, code.text.lowercased(), zeros, ones, spaced, " \t\(plain)\r\n"] {
                let read = try EnrolmentCode(typed: typed)
                #expect(read.secret == code.secret && read.pin == code.pin)
            }
        }
    }

    @Test("of all single mistyped characters over 99.8% are found")
    func mistyped() throws {
        let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        var (tries, missed) = (0, 0)
        for seed in 0..<30 as Range<UInt64> {
            let characters = Array(try code(seed: seed).code.text)
            for place in characters.indices where characters[place] != "-" {
                for other in alphabet where other != characters[place] {
                    var typed = characters
                    typed[place] = other
                    tries += 1
                    if (try? EnrolmentCode(typed: String(typed))) != nil { missed += 1 }
                }
            }
        }
        #expect(tries == 30 * 34 * 31)
        #expect(Double(missed) < 0.002 * Double(tries), "\(missed) of \(tries) were taken")
    }

    @Test("a code that cannot be read says what to do, and does not repeat the code")
    func messages() throws {
        let text = try code(seed: 3).code.text
        func message(_ typed: String) -> String {
            do {
                _ = try EnrolmentCode(typed: typed)
                return "taken"
            } catch {
                #expect(error.code == .badCode && error.recovery == .askAPerson)
                return error.message
            }
        }
        #expect(message("").contains("has 0"))
        #expect(message(String(text.dropLast())).contains("34 letters and digits, this has 33"))
        #expect(message(text + "0").contains("this has 35"))
        #expect(message("U" + text.dropFirst()).contains("the letter U"))
        #expect(message("Ư" + text.dropFirst()).contains("another character"))
        #expect(message(String(repeating: "0", count: 5000)).contains("far more"))
        let wrong = text.dropLast() + (text.hasSuffix("7") ? "8" : "7")
        #expect(message(String(wrong)).contains("check characters do not fit"))
        #expect(!message(String(wrong)).contains(text.prefix(5)))
    }

    @Test("anything typed is read or refused, never a trap")
    func garbage() {
        var dice = SeededGenerator(seed: 11)
        for _ in 0..<10_000 {
            let count = Int.random(in: 0...60, using: &dice)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &dice) }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(throws: ProtocolError(.badCode, "")) { try EnrolmentCode(typed: text) }
        }
    }

    @Test("a code pins its organisation's root key and no other")
    func pins() throws {
        let (code, rootKey) = try code(seed: 1)
        #expect(code.pins(rootKey: rootKey))
        #expect(try !code.pins(rootKey: self.code(seed: 2).rootKey))
    }

    @Test("a code kept as its secret is the same code; a secret has ten bytes")
    func kept() throws {
        let (code, rootKey) = try code(seed: 1)
        let again = try EnrolmentCode(secret: code.secret, organisation: rootKey.organisationFingerprint)
        #expect(again.text == code.text && again.codeID == code.codeID)
        #expect(code.codeID.count == 8)
        #expect(throws: ProtocolError(.badCode, "")) {
            try EnrolmentCode(secret: [1, 2], organisation: rootKey.organisationFingerprint)
        }
    }

    @Test("a proof is good for its code, organisation, key and replica alone, and to the last bit")
    func proof() throws {
        let (code, rootKey) = try code(seed: 1)
        let (otherCode, otherKey) = try self.code(seed: 2)
        let organisation = rootKey.organisationFingerprint
        let replica = ReplicaID(high: 1, low: 2)
        let proof = code.proof(organisation: organisation, deviceKey: otherKey, replica: replica)
        #expect(proof.count == 32)
        func isGood(
            _ proof: [UInt8], code: EnrolmentCode = code, organisation: Hash256 = organisation,
            deviceKey: PublicKey = otherKey, replica: ReplicaID = replica
        ) -> Bool {
            code.isProofGood(proof, organisation: organisation, deviceKey: deviceKey, replica: replica)
        }
        #expect(isGood(proof))
        #expect(!isGood(proof, code: otherCode))
        #expect(!isGood(proof, organisation: otherKey.organisationFingerprint))
        #expect(!isGood(proof, deviceKey: rootKey))
        #expect(!isGood(proof, replica: ReplicaID(high: 1, low: 3)))
        for bit in 0..<256 {
            var changed = proof
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!isGood(changed))
        }
        for wrong in [[], Array(proof.dropLast()), proof + [0]] { #expect(!isGood(wrong)) }
    }

    @Test("a code is not printed, however it is asked for")
    func secrecy() throws {
        let code = try code(seed: 1).code
        var dumped = ""
        dump(code, to: &dumped)
        for shown in ["\(code)", String(reflecting: code), dumped] {
            #expect(shown.contains("EnrolmentCode(id \(code.codeID.hex))"))
            #expect(!shown.contains(code.text) && !shown.contains(code.secret.hex))
            #expect(!shown.contains("\(code.secret)"))
        }
        #expect(dumped.split(separator: "\n").count == 1)
    }
}
