import Crypto
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct KeyTests {
    private func key(_ seed: UInt64 = 1) throws -> SigningKey {
        var dice = SeededGenerator(seed: seed)
        return try SigningKey(using: &dice)
    }

    private struct Vector {
        let seed, publicKey, message, signature: String
    }

    // RFC 8032 §7.1, tests 1 to 3.
    private static let vectors = [
        Vector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
            signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        Vector(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
            signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        Vector(
            seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
            signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ]

    @Test("keys and signatures are those of RFC 8032")
    func vectors() throws {
        for vector in Self.vectors {
            let key = try SigningKey(bytes: #require([UInt8](hex: vector.seed)))
            let message = try #require([UInt8](hex: vector.message))
            let signature = try #require([UInt8](hex: vector.signature))
            #expect(key.publicKey.hex == vector.publicKey)
            #expect(key.publicKey.verifies(signature, of: message, domain: .httpMessage))
            let made = try key.sign(message, domain: .httpMessage)
            #expect(key.publicKey.verifies(made, of: message, domain: .httpMessage))
        }
    }

    @Test("a signature holds for its message, key and domain alone")
    func domains() throws {
        let key = try key()
        let message = Array("Tổ 3, kỳ 12".utf8)
        for domain in SignatureDomain.allCases {
            let signature = try key.sign(message, domain: domain)
            for other in SignatureDomain.allCases {
                // Those two sign messages as they are, which cannot be alike.
                let areUntagged = Set([domain, other]) == [.httpMessage, .note]
                let isGood = key.publicKey.verifies(signature, of: message, domain: other)
                #expect(isGood == (domain == other || areUntagged))
            }
            #expect(!key.publicKey.verifies(signature, of: message + [0], domain: domain))
            #expect(try !self.key(2).publicKey.verifies(signature, of: message, domain: domain))
        }
    }

    @Test("one that was found good before is good again, and nothing that differs from it is")
    func knownSignature() throws {
        let key = try key(3)
        let message = Array("biên bản".utf8)
        let signature = try key.sign(message, domain: .blockDevice)
        for number in UInt64(0)..<20 {
            let other = number.bigEndianBytes
            let otherSignature = try key.sign(other, domain: .blockDevice)
            for _ in 0..<2 {
                #expect(key.publicKey.verifies(signature, of: message, domain: .blockDevice))
                #expect(key.publicKey.verifies(otherSignature, of: other, domain: .blockDevice))
                #expect(!key.publicKey.verifies(signature, of: other, domain: .blockDevice))
                #expect(!key.publicKey.verifies(otherSignature, of: message, domain: .blockDevice))
                #expect(!key.publicKey.verifies(signature, of: message, domain: .enrolment))
                #expect(try !self.key(4).publicKey.verifies(signature, of: message, domain: .blockDevice))
            }
        }
    }

    @Test("the signed bytes are tag, zero and message")
    func taggedBytes() throws {
        let key = try key()
        let signature = try key.sign([1, 2, 3], domain: .blockDevice)
        let bytes = Array("kenh-v1 block device".utf8) + [0, 1, 2, 3]
        #expect(key.publicKey.verifies(signature, of: bytes, domain: .httpMessage))
    }

    @Test("a signature with any bit changed, cut or lengthened is refused")
    func changedSignature() throws {
        let key = try key()
        let signature = try key.sign([7], domain: .enrolment)
        for bit in 0..<512 {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.verifies(changed, of: [7], domain: .enrolment))
        }
        for wrong in [[], Array(signature.dropLast()), signature + [0]] {
            #expect(!key.publicKey.verifies(wrong, of: [7], domain: .enrolment))
        }
    }

    @Test("S and S + L are not both good: the larger one is refused")
    func malleableSignature() throws {
        let order = try #require([UInt8](hex: "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
        let key = try key()
        for message in 0..<20 as Range<UInt8> {
            var signature = try key.sign([message], domain: .enrolment)
            var carry = 0
            for place in 0..<32 {
                let sum = Int(signature[32 + place]) + Int(order[place]) + carry
                signature[32 + place] = UInt8(sum & 0xff)
                carry = sum >> 8
            }
            #expect(signature[63] & 0xe0 == 0, "the library's quick check on the top bits does not decide here")
            #expect(!key.publicKey.verifies(signature, of: [message], domain: .enrolment))
        }
    }

    @Test(
        "keys of small order are refused in every encoding",
        arguments: [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ])
    func smallOrder(hex: String) throws {
        let bytes = try #require([UInt8](hex: hex))
        #expect(throws: ProtocolError(.badKey, "")) { try PublicKey(bytes: bytes) }
    }

    @Test("a key has one encoding, of 32 bytes")
    func encodings() throws {
        let tooLarge = [0xf0] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
        #expect(throws: ProtocolError(.badKey, "")) { try PublicKey(bytes: tooLarge) }
        let good = try key().publicKey
        #expect(try PublicKey(bytes: good.bytes) == good)
        for wrong in [[], Array(good.bytes.dropLast()), good.bytes + [0]] {
            #expect(throws: ProtocolError(.badKey, "")) { try PublicKey(bytes: wrong) }
            #expect(throws: ProtocolError(.badKey, "")) { try SigningKey(bytes: wrong) }
        }
    }

    @Test("32 bytes that are no point make a key that verifies nothing")
    func noPoint() throws {
        let key = try PublicKey(bytes: [2] + [UInt8](repeating: 0, count: 31))
        #expect(!key.verifies([UInt8](repeating: 0, count: 64), of: [], domain: .enrolment))
    }

    @Test("a private key is not printed, however it is asked for")
    func secrecy() throws {
        let key = try key()
        #expect("\(key)" == "SigningKey(…)")
        #expect(String(reflecting: key) == "SigningKey(…)")
        var dumped = ""
        dump(key, to: &dumped)
        #expect(dumped.split(separator: "\n").count == 1)
    }

    @Test("a private key comes back from its bytes, and a seed gives the same one again")
    func restored() throws {
        let key = try key(5)
        #expect(try SigningKey(bytes: key.secretBytes).publicKey == key.publicKey)
        #expect(try self.key(5).publicKey == key.publicKey)
        #expect(try self.key(6).publicKey != key.publicKey)
    }

    @Test("a hash is SHA-256 of tag, zero and the chunks in order, from arrays and from memory")
    func hashing() throws {
        let (first, second) = (Array("kênh".utf8), [UInt8](repeating: 9, count: 100_000))
        for domain in HashDomain.allCases {
            let plain = Array(SHA256.hash(data: Array(domain.rawValue.utf8) + [0] + first + second))
            #expect(Hashing.sha256(domain: domain, first, second).bytes == plain)
            let fromMemory = first.withUnsafeBytes { a in
                second.withUnsafeBytes { b in Hashing.sha256(domain: domain, a, b) }
            }
            #expect(fromMemory.bytes == plain)
        }
        let none = [UInt8]().withUnsafeBytes { Hashing.plainSHA256($0) }
        #expect(none.bytes.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("errors are equal by code and say code and message")
    func errors() {
        #expect(ProtocolError(.badKey, "one") == ProtocolError(.badKey, "two", recovery: .retry))
        #expect(ProtocolError(.badKey, "one") != ProtocolError(.badCode, "one"))
        #expect("\(ProtocolError(.brokenLink, "4 does not follow 2"))" == "brokenLink: 4 does not follow 2")
    }
}
