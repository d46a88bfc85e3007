import KenhHub
import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// Header fields of requests and answers, digests, codes that people type: what is taken is what was signed.
    static let signature = FuzzTarget("signature", seeds: { try SignatureFuzz.seeds() }) { bytes in
        var input = FuzzInput(bytes)
        switch input.below(5) {
        case 0: try SignatureFuzz.request(&input)
        case 1: try SignatureFuzz.response(&input)
        case 2: try SignatureFuzz.digest(&input)
        case 3: try SignatureFuzz.code(input.text())
        default: SignatureFuzz.statement(input.rest())
        }
    }
}

private enum SignatureFuzz {
    static let seconds = FuzzWorld.now / 1000
    static let nonce = { () -> Nonce in
        var generator = CountingGenerator()
        return Nonce(using: &generator)
    }()
    static let parts = RequestParts(
        method: "POST", path: "/v1/sync", query: "", contentType: "application/x-protobuf",
        contentDigest: ContentDigest.header(for: [1, 2, 3]), organisation: FuzzWorld.organisation.bytes.hex)

    /// The signed request with what the input changes in it: nothing but the agreed equivalents may pass.
    static func request(_ input: inout FuzzInput) throws {
        let good = try RequestSignature.sign(parts, with: FuzzWorld.devices[0], created: seconds, nonce: nonce)
        var (changed, headers) = (parts, good)
        for _ in 0..<(1 + input.below(3)) { change(&changed, &headers, &input) }
        _ = RequestSignature.claimedNonce(in: headers.signatureInput)
        _ = RequestSignature.claimedKeyID(in: headers.signatureInput)
        let now = seconds &+ input.number() &* 60
        guard
            let verified = try? RequestSignature.verify(
                changed, headers, now: now, key: { try PublicKey(bytes: $0) })
        else { return }
        try require(meaning(changed) == meaning(parts), "a signature is good for another request")
        try require(verified.nonce == nonce && verified.created == seconds, "a signature gives another nonce or time")
        try require(verified.keyID == FuzzWorld.devices[0].publicKey.bytes, "a signature gives another key")
        try require((now &- seconds).magnitude <= RequestSignature.windowSeconds.magnitude, "a stale request passes")
    }

    private static func change(_ parts: inout RequestParts, _ headers: inout SignatureHeaders, _ input: inout FuzzInput)
    {
        switch input.below(9) {
        case 0: parts.method = input.text()
        case 1: parts.path = input.text()
        case 2: parts.query = input.text()
        case 3: parts.contentType = input.text()
        case 4: parts.contentDigest = input.text()
        case 5: parts.organisation = input.text()
        case 6: headers.signatureInput = edited(headers.signatureInput, &input)
        case 7: headers.signature = edited(headers.signature, &input)
        default: headers = SignatureHeaders(signatureInput: input.text(), signature: input.text())
        }
    }

    /// The text with some of it replaced.
    private static func edited(_ text: String, _ input: inout FuzzInput) -> String {
        let bytes = Array(text.utf8)
        let start = min(Int(input.byte()), bytes.count)
        let end = min(start + input.below(16), bytes.count)
        return String(decoding: bytes[..<start] + input.chunk() + bytes[end...], as: UTF8.self)
    }

    /// RFC 9421: white space around a field is no part of it, no path is “/”, no query is “?”.
    private static func meaning(_ parts: RequestParts) -> [[UInt8]] {
        func trimmed(_ text: String) -> [UInt8] {
            let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
            return text.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        }
        return [
            Array(parts.method.utf8), Array((parts.path.isEmpty ? "/" : parts.path).utf8),
            Array((parts.query.isEmpty ? "?" : parts.query).utf8), trimmed(parts.contentType),
            trimmed(parts.contentDigest), trimmed(parts.organisation),
        ]
    }

    /// An answer is taken for the request that it was signed for, and no other.
    static func response(_ input: inout FuzzInput) throws {
        var parts = ResponseParts(
            status: 200, contentType: "application/x-protobuf", contentDigest: ContentDigest.header(for: []),
            requestMethod: "POST", requestPath: "/v1/sync")
        var headers = try ResponseSignature.sign(parts, with: FuzzWorld.serving, created: seconds, nonce: nonce)
        let isEdited = input.flag()
        if isEdited { headers.signatureInput = edited(headers.signatureInput, &input) }
        if input.flag() { headers.signature = edited(headers.signature, &input) }
        let status = input.flag() ? Int(input.number()) : 200
        parts.status = status
        let asked = input.flag() ? Nonce(text: input.text()) : nonce
        guard
            (try? ResponseSignature.verify(parts, headers, key: FuzzWorld.serving.publicKey, nonce: asked)) != nil
        else { return }
        try require(status == 200 && asked == nonce, "an answer is good for another request")
    }

    static func digest(_ input: inout FuzzInput) throws {
        let content = input.chunk()
        let good = ContentDigest.header(for: content)
        try require((try? ContentDigest.verify(good, content: content)) != nil, "a good digest is refused")
        let header = input.flag() ? edited(good, &input) : input.text()
        guard (try? ContentDigest.verify(header, content: content)) != nil else { return }
        let text = String(good.dropFirst("sha-256=:".count).dropLast())
        try require(header.utf8.count >= text.utf8.count && header.contains(text), "a digest of something else passes")
    }

    static func code(_ text: String) throws {
        guard let code = try? EnrolmentCode(typed: text) else { return }
        let again = try? EnrolmentCode(typed: code.text)
        try require(again?.secret == code.secret && again?.pin == code.pin, "a code changes when it is printed")
    }

    static func statement(_ bytes: [UInt8]) {
        guard let statement = try? WireCoding.decode(WireSignedStatement.self, from: bytes) else { return }
        _ = try? ServingCertificate(statement, root: FuzzWorld.root.publicKey)
        // Signed by the right key, whatever it says.
        var signed = statement
        guard
            let signature = try? FuzzWorld.root.sign(Array(statement.statement), domain: .servingCertificate)
        else { return }
        signed.signature = .init(signature)
        _ = try? ServingCertificate(signed, root: FuzzWorld.root.publicKey)
    }

    static func seeds() throws -> [[UInt8]] {
        let good = try RequestSignature.sign(parts, with: FuzzWorld.devices[0], created: seconds, nonce: nonce)
        var headers = FuzzOutput()
        for byte in [0, 0, 8] { headers.byte(byte) }
        headers.text(good.signatureInput)
        headers.text(good.signature)
        var digest = FuzzOutput()
        digest.byte(2)
        digest.chunk([1, 2])
        digest.byte(0)
        digest.text("sha-512=:AAAA:, " + ContentDigest.header(for: [1, 2]))
        var generator = CountingGenerator()
        var code = FuzzOutput()
        code.byte(3)
        code.text(EnrolmentCode(organisation: FuzzWorld.organisation, using: &generator).text.lowercased())
        let certificate = try WireCoding.encode(FuzzWorld.hubIdentity().certificate)
        return [headers.bytes, [0, 0, 6, 20, 3, 1, 65], digest.bytes, code.bytes, [1, 0, 0, 0, 0], [4] + certificate]
    }
}
