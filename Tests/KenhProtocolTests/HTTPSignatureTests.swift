import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct HTTPSignatureTests {
    private static let now: Int64 = 1_790_000_000
    private let key: SigningKey
    private let nonce: Nonce
    private let request: RequestParts
    private let response: ResponseParts

    init() throws {
        var dice = SeededGenerator(seed: 4)
        key = try SigningKey(using: &dice)
        nonce = Nonce(using: &dice)
        let rootKey = try SigningKey(using: &dice).publicKey
        request = RequestParts(
            method: "POST", path: "/v1/sync", query: "?part=2", contentType: "application/x-protobuf",
            contentDigest: ContentDigest.header(for: [1, 2, 3]),
            organisation: rootKey.organisationFingerprint.bytes.hex)
        response = ResponseParts(
            status: 200, contentType: "application/x-protobuf", contentDigest: ContentDigest.header(for: [4, 5]),
            requestMethod: "POST", requestPath: "/v1/sync")
    }

    private func signed() throws -> SignatureHeaders {
        try RequestSignature.sign(request, with: key, created: Self.now, nonce: nonce)
    }

    private func verify(
        _ parts: RequestParts, _ headers: SignatureHeaders, now: Int64 = now
    ) throws -> RequestSignature.Verified {
        try RequestSignature.verify(parts, headers, now: now) { $0 == key.publicKey.bytes ? key.publicKey : nil }
    }

    private func answered(nonce: Nonce?) throws -> SignatureHeaders {
        try ResponseSignature.sign(response, with: key, created: Self.now, nonce: nonce)
    }

    /// The code of the error that a body throws; nil if it throws none.
    private func code(_ body: () throws -> Void) throws -> ProtocolError.Code? {
        do {
            try body()
            return nil
        } catch {
            return try #require(error as? ProtocolError).code
        }
    }

    // MARK: - Standards

    @Test("the signature base and signature are those of RFC 9421, B.2.6")
    func ed25519Example() throws {
        let base = SignatureBase(
            components: [
                SignatureComponent("date", "Tue, 20 Apr 2021 02:07:55 GMT"), SignatureComponent("@method", "POST"),
                SignatureComponent("@path", "/foo"), SignatureComponent("@authority", "example.com"),
                SignatureComponent("content-type", " application/json\t"), SignatureComponent("content-length", "18"),
            ],
            parameters: [.created(1_618_884_473), .keyID("test-key-ed25519")])
        let parameters = """
            ("date" "@method" "@path" "@authority" "content-type" "content-length")\
            ;created=1618884473;keyid="test-key-ed25519"
            """
        let text = """
            "date": Tue, 20 Apr 2021 02:07:55 GMT
            "@method": POST
            "@path": /foo
            "@authority": example.com
            "content-type": application/json
            "content-length": 18
            "@signature-params": \(parameters)
            """
        #expect(try base.parameterText() == parameters)
        #expect(try String(decoding: base.bytes(), as: UTF8.self) == text)
        let publicKey = try PublicKey(bytes: #require(Base64.decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")))
        let signature = try #require(
            Base64.decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="))
        #expect(try publicKey.verifies(signature, of: base.bytes(), domain: .httpMessage))
    }

    @Test("a digest is that of RFC 9530's examples, and others beside it are passed over")
    func contentDigest() throws {
        let content = Array(#"{"hello": "world"}"#.utf8)
        #expect(ContentDigest.header(for: content) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:")
        let withNewline = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        #expect(ContentDigest.header(for: content + [0x0a]) == withNewline)
        try ContentDigest.verify("sha-512=:AAAA:, \(withNewline), md5=?0", content: content + [0x0a])
        #expect(throws: ProtocolError(.badDigest, "")) { try ContentDigest.verify(withNewline, content: content) }
        let malformed = ["", "sha-512=:AAAA:", "sha-256=12", "sha-256=(:AAAA:)", "sha-256", "sha-256=:AA A:", ","]
        for header in malformed {
            #expect(throws: ProtocolError(.malformed, "")) { try ContentDigest.verify(header, content: content) }
        }
        let long = withNewline + String(repeating: " ", count: 4096)
        #expect(throws: ProtocolError(.tooLarge, "")) { try ContentDigest.verify(long, content: content) }
    }

    @Test("a digest with any bit changed is refused")
    func changedDigest() throws {
        let header = ContentDigest.header(for: [1, 2, 3])
        try ContentDigest.verify(header, content: [1, 2, 3])
        for changed in singleBitChanges(of: header) {
            #expect(try code { try ContentDigest.verify(changed, content: [1, 2, 3]) } != nil, "\(changed)")
        }
    }

    @Test("base64 has one text for given bytes")
    func base64() {
        let pairs = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE="]
        for (plain, text) in pairs {
            #expect(Base64.encode(Array(plain.utf8)) == text)
            #expect(Base64.decode(text) == Array(plain.utf8))
        }
        for wrong in ["Zg", "Zg=", "Zh==", "Zm9=", "=", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_", "ZmÖ"] {
            #expect(Base64.decode(wrong) == nil, "\(wrong)")
        }
    }

    // MARK: - Requests

    @Test("a request's signature covers exactly the agreed lines")
    func requestBase() throws {
        let headers = try signed()
        let parameters = """
            ("@method" "@path" "@query" "content-type" "content-digest" "kenh-organisation");created=1790000000\
            ;nonce="\(nonce.text)";keyid="\(key.publicKey.hex)";alg="ed25519";tag="kenh-v1"
            """
        #expect(headers.signatureInput == "kenh=" + parameters)
        let base = """
            "@method": POST
            "@path": /v1/sync
            "@query": ?part=2
            "content-type": application/x-protobuf
            "content-digest": \(request.contentDigest)
            "kenh-organisation": \(request.organisation)
            "@signature-params": \(parameters)
            """
        let signature = try #require(Base64.decode(String(headers.signature.dropFirst(6).dropLast())))
        #expect(key.publicKey.verifies(signature, of: Array(base.utf8), domain: .httpMessage))
    }

    @Test("a good request gives its key, nonce and time")
    func goodRequest() throws {
        let headers = try signed()
        let verified = try verify(request, headers)
        #expect(verified.keyID == key.publicKey.bytes)
        #expect(verified.nonce == nonce)
        #expect(verified.created == Self.now)
        #expect(RequestSignature.claimedNonce(in: headers.signatureInput) == nonce)
        #expect(RequestSignature.claimedKeyID(in: headers.signatureInput) == key.publicKey.bytes)
    }

    @Test("an absent query and path are signed as the standard says")
    func emptyParts() throws {
        var parts = request
        (parts.query, parts.path) = ("", "")
        let headers = try RequestSignature.sign(parts, with: key, created: Self.now, nonce: nonce)
        (parts.query, parts.path) = ("?", "/")
        #expect(try verify(parts, headers).nonce == nonce)
    }

    @Test("signatures by others beside Kenh's, and its parameters in another order, are taken")
    func otherLabels() throws {
        var headers = try signed()
        headers.signatureInput = "proxy=(\"@status\");created=1, " + headers.signatureInput
        headers.signature += ", proxy=:AAAA:"
        #expect(try verify(request, headers).nonce == nonce)

        let parameters: [SignatureParameter] = [
            .tag("kenh-v1"), .keyID(key.publicKey.hex), .created(Self.now), .algorithm("ed25519"), .nonce(nonce.text),
        ]
        let reordered = try crafted(parameters: parameters)
        #expect(try verify(request, reordered).nonce == nonce)
    }

    @Test("any single changed bit in a covered part of a request is refused")
    func changedRequest() throws {
        let headers = try signed()
        let parts: [WritableKeyPath<RequestParts, String>] = [
            \.method, \.path, \.query, \.contentType, \.contentDigest, \.organisation,
        ]
        for part in parts {
            for changed in singleBitChanges(of: request[keyPath: part]) {
                var other = request
                other[keyPath: part] = changed
                #expect(try code { _ = try verify(other, headers) } != nil, "\(changed)")
            }
        }
    }

    @Test("any single changed bit in a signature's own header fields is refused")
    func changedHeaders() throws {
        let headers = try signed()
        for changed in singleBitChanges(of: headers.signatureInput) {
            let other = SignatureHeaders(signatureInput: changed, signature: headers.signature)
            #expect(try code { _ = try verify(request, other) } != nil, "\(changed)")
        }
        for changed in singleBitChanges(of: headers.signature) {
            let other = SignatureHeaders(signatureInput: headers.signatureInput, signature: changed)
            #expect(try code { _ = try verify(request, other) } != nil, "\(changed)")
        }
    }

    @Test("the clock may differ by ten minutes either way; beyond, a good signature is stale and a bad one bad")
    func window() throws {
        let headers = try signed()
        for distance in [-600, 0, 600] as [Int64] {
            #expect(try verify(request, headers, now: Self.now + distance).created == Self.now)
        }
        for now in [Self.now - 601, Self.now + 601, .min, .max] {
            #expect(throws: ProtocolError(.staleRequest, "")) { try verify(request, headers, now: now) }
        }
        var other = request
        other.path = "/v1/other"
        #expect(throws: ProtocolError(.badSignature, "")) { try verify(other, headers, now: Self.now + 601) }
    }

    @Test("a key that is not known, and a look-up that fails, are told apart")
    func lookUp() throws {
        struct DiskFull: Error {}
        let headers = try signed()
        #expect(throws: ProtocolError(.unknownDevice, "")) {
            try RequestSignature.verify(request, headers, now: Self.now) { _ in nil }
        }
        #expect(throws: DiskFull.self) {
            try RequestSignature.verify(request, headers, now: Self.now) { _ in throw DiskFull() }
        }
        var dice = SeededGenerator(seed: 77)
        let other = try SigningKey(using: &dice).publicKey
        #expect(throws: ProtocolError(.badSignature, "")) {
            try RequestSignature.verify(request, headers, now: Self.now) { _ in other }
        }
    }

    // MARK: - Signatures that cover something else

    /// A correct signature by the device's key over components and parameters of the test's choice.
    private func crafted(
        components: [SignatureComponent]? = nil, parameters: [SignatureParameter]? = nil
    ) throws -> SignatureHeaders {
        let base = SignatureBase(components: components ?? covered, parameters: parameters ?? agreed)
        let signature = try key.sign(base.bytes(), domain: .httpMessage)
        return SignatureHeaders(
            signatureInput: "kenh=\(try base.parameterText())", signature: "kenh=:\(Base64.encode(signature)):")
    }

    private var covered: [SignatureComponent] {
        [
            SignatureComponent("@method", request.method), SignatureComponent("@path", request.path),
            SignatureComponent("@query", request.query), SignatureComponent("content-type", request.contentType),
            SignatureComponent("content-digest", request.contentDigest),
            SignatureComponent("kenh-organisation", request.organisation),
        ]
    }

    private var agreed: [SignatureParameter] {
        [
            .created(Self.now), .nonce(nonce.text), .keyID(key.publicKey.hex), .algorithm("ed25519"), .tag("kenh-v1"),
        ]
    }

    @Test("a signature over fewer, more or reordered components is refused though it is the device's")
    func otherCoverage() throws {
        #expect(try verify(request, crafted()).nonce == nonce)
        var asResponse = covered
        asResponse[0] = SignatureComponent("@method", request.method, isOfRequest: true)
        let wrong: [[SignatureComponent]] = [
            [], Array(covered.dropLast()), covered.reversed(), asResponse,
            covered + [SignatureComponent("@authority", "example.com")],
        ]
        for components in wrong {
            let headers = try crafted(components: components)
            #expect(throws: ProtocolError(.badSignature, "")) { try verify(request, headers) }
        }
    }

    @Test("a signature without one of the parameters, or with another algorithm or tag, is refused")
    func otherParameters() throws {
        var wrong = agreed.indices.map { place in
            agreed.enumerated().filter { $0.offset != place }.map(\.element)
        }
        wrong.append(agreed.dropLast() + [.tag("kenh-v2")])
        wrong.append(agreed.dropLast(2) + [.algorithm("hmac-sha256"), .tag("kenh-v1")])
        wrong.append(agreed + [.keyID(key.publicKey.hex.uppercased())])
        wrong.append(agreed + [.keyID("")])
        for parameters in wrong {
            let headers = try crafted(parameters: parameters)
            #expect(throws: ProtocolError(.badSignature, "")) { try verify(request, headers) }
        }
        for text in ["", "AAAA", nonce.text + "AAAA", String(nonce.text.dropLast(3)) + "B=="] {
            let headers = try crafted(parameters: agreed + [.nonce(text)])
            #expect(throws: ProtocolError(.malformed, "")) { try verify(request, headers) }
            #expect(RequestSignature.claimedNonce(in: headers.signatureInput) == nil)
        }
        var headers = try signed()
        headers.signatureInput += ";expires=\(Self.now + 10)"
        #expect(throws: ProtocolError(.badSignature, "")) { try verify(request, headers) }
    }

    @Test("a line break, a control character and text beyond ASCII cannot be signed, nor pass as signed")
    func injected() throws {
        let headers = try signed()
        for path in ["/v1/sync\n\"@query\": ?", "/v1\r", "/v1/\u{0}", "/v1/\u{7f}", "/kênh"] {
            var parts = request
            parts.path = path
            #expect(throws: ProtocolError(.malformed, "")) {
                try RequestSignature.sign(parts, with: key, created: Self.now, nonce: nonce)
            }
            #expect(throws: ProtocolError(.malformed, "")) { try verify(parts, headers) }
        }
    }

    @Test("a header field or part over 4 KiB is refused unread")
    func long() throws {
        let padding = String(repeating: " ", count: 4096)
        let headers = try signed()
        let longInput = SignatureHeaders(signatureInput: headers.signatureInput + padding, signature: headers.signature)
        let longSignature = SignatureHeaders(
            signatureInput: headers.signatureInput, signature: headers.signature + padding)
        for long in [longInput, longSignature] {
            #expect(throws: ProtocolError(.tooLarge, "")) { try verify(request, long) }
        }
        var parts = request
        parts.path = "/" + String(repeating: "a", count: 4096)
        #expect(throws: ProtocolError(.tooLarge, "")) { try verify(parts, headers) }
    }

    @Test("10,000 garbage headers give errors of the protocol and never a trap")
    func garbage() throws {
        var dice = SeededGenerator(seed: 9)
        let good = try signed()
        for _ in 0..<10_000 {
            let input = Garbage.text(near: good.signatureInput, using: &dice)
            let signature = Garbage.text(near: good.signature, using: &dice)
            let headers = SignatureHeaders(
                signatureInput: input, signature: Bool.random(using: &dice) ? good.signature : signature)
            #expect(try code { _ = try verify(request, headers) } != nil, "\(input)")
            #expect(
                try code { try ResponseSignature.verify(response, headers, key: key.publicKey, nonce: nonce) } != nil)
            #expect(try code { try ContentDigest.verify(input, content: [1]) } != nil)
            _ = RequestSignature.claimedNonce(in: input)
            _ = RequestSignature.claimedKeyID(in: input)
        }
    }

    // MARK: - Responses

    @Test("a response's signature covers exactly the agreed lines")
    func responseBase() throws {
        let headers = try answered(nonce: nonce)
        let parameters = """
            ("@status" "content-type" "content-digest" "@method";req "@path";req);created=1790000000\
            ;nonce="\(nonce.text)";keyid="\(key.publicKey.hex)";alg="ed25519";tag="kenh-v1"
            """
        #expect(headers.signatureInput == "kenh=" + parameters)
        let base = """
            "@status": 200
            "content-type": application/x-protobuf
            "content-digest": \(response.contentDigest)
            "@method";req: POST
            "@path";req: /v1/sync
            "@signature-params": \(parameters)
            """
        let signature = try #require(Base64.decode(String(headers.signature.dropFirst(6).dropLast())))
        #expect(key.publicKey.verifies(signature, of: Array(base.utf8), domain: .httpMessage))
        #expect(try ResponseSignature.verify(response, headers, key: key.publicKey, nonce: nonce) == Self.now)
    }

    @Test("any single changed bit in a covered part of a response is refused")
    func changedResponse() throws {
        let headers = try answered(nonce: nonce)
        let parts: [WritableKeyPath<ResponseParts, String>] = [
            \.contentType, \.contentDigest, \.requestMethod, \.requestPath,
        ]
        func isRefused(_ parts: ResponseParts, _ headers: SignatureHeaders) throws -> Bool {
            try code { try ResponseSignature.verify(parts, headers, key: key.publicKey, nonce: nonce) } != nil
        }
        for part in parts {
            for changed in singleBitChanges(of: response[keyPath: part]) {
                var other = response
                other[keyPath: part] = changed
                #expect(try isRefused(other, headers), "\(changed)")
            }
        }
        for status in [201, 0, -200, 20, 2000, Int.max, Int.min] {
            var other = response
            other.status = status
            #expect(try isRefused(other, headers))
        }
        for changed in singleBitChanges(of: headers.signatureInput) {
            #expect(
                try isRefused(response, SignatureHeaders(signatureInput: changed, signature: headers.signature)),
                "\(changed)")
        }
    }

    @Test("an answer to another request, by another key, or to no request is refused")
    func otherAnswer() throws {
        var dice = SeededGenerator(seed: 5)
        let (other, otherNonce) = (try SigningKey(using: &dice), Nonce(using: &dice))
        let bad = ProtocolError(.badSignature, "")
        let good = try answered(nonce: nonce)
        #expect(throws: bad) { try ResponseSignature.verify(response, good, key: key.publicKey, nonce: otherNonce) }
        #expect(throws: bad) { try ResponseSignature.verify(response, good, key: other.publicKey, nonce: nonce) }
        #expect(throws: bad) { try ResponseSignature.verify(response, good, key: key.publicKey, nonce: nil) }
        let untied = try answered(nonce: nil)
        #expect(throws: bad) { try ResponseSignature.verify(response, untied, key: key.publicKey, nonce: nonce) }
        #expect(try ResponseSignature.verify(response, untied, key: key.publicKey, nonce: nil) == Self.now)
    }

    @Test("a request's signature does not pass for a response's, nor the other way")
    func crossed() throws {
        let bad = ProtocolError(.badSignature, "")
        let (asked, answered) = (try signed(), try answered(nonce: nonce))
        #expect(throws: bad) { try ResponseSignature.verify(response, asked, key: key.publicKey, nonce: nonce) }
        #expect(throws: bad) { try verify(request, answered) }
    }
}

/// Hostile header values: bytes, pieces of the grammar in any order, and good values with damage.
private enum Garbage {
    private static let pieces = [
        "kenh", "=", "(", ")", "\"@method\"", "\"", "\\", ";", "created", "nonce", "keyid", "alg", "tag", "req", ":",
        "::", ",", " ", "\t", "1", "-", "-0", "999999999999999", "9999999999999999", ".5", "1.", "?1", "?0", "@1",
        "%\"%ff\"", "%\"%c3%aa\"", "*", "\"ed25519\"", "\"kenh-v1\"", "sha-256", "AAAA", "\u{0}", "ê",
        "\"\\\"\"", "\"\\\\\"",
    ]

    static func text(near good: String, using dice: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<3, using: &dice) {
        case 0:
            let count = Int.random(in: 0...200, using: &dice)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &dice) }
            return String(decoding: bytes, as: UTF8.self)
        case 1:
            let count = Int.random(in: 0...40, using: &dice)
            return "kenh=" + (0..<count).compactMap { _ in pieces.randomElement(using: &dice) }.joined()
        default:
            return damaged(good, using: &dice)
        }
    }

    private static func damaged(_ good: String, using dice: inout SeededGenerator) -> String {
        var bytes = Array(good.utf8)
        let place = Int.random(in: 5..<bytes.count, using: &dice)
        let piece = Array((pieces.randomElement(using: &dice) ?? "").utf8) + [0x21]
        let end = min(bytes.count, place + Int.random(in: 0...20, using: &dice))
        bytes.replaceSubrange(place..<end, with: piece)
        return String(decoding: bytes, as: UTF8.self)
    }
}
