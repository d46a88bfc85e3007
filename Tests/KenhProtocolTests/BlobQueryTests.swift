import KenhMerge
import KenhProtocol
import Testing

@Suite("The query of a request for an attachment")
struct BlobQueryTests {
    @Test("is read as it was meant, with whatever else it says passed over")
    func good() throws {
        let query = try BlobQuery("channel=plan%2FKH1&size=1024&type=image%2Fpng&offset=7&later=x&flag")
        #expect(query == BlobQuery(channel: "plan/KH1", size: 1024, type: "image/png", offset: 7))
        #expect(try BlobQuery("channel=org&status=1").wantsStatus)
        #expect(try BlobQuery("channel=org&limit=5&offset=0") == BlobQuery(channel: "org", limitBytes: 5))
        #expect(try BlobQuery("channel=org&status=0") == BlobQuery(channel: "org"))
    }

    @Test("comes back from its own pairs")
    func pairs() throws {
        for query in [
            BlobQuery(channel: "plan/KH 1&=%", size: 1, type: "a/b", offset: 9),
            BlobQuery(channel: "org", limitBytes: 3),
            BlobQuery(channel: "org", wantsStatus: true),
        ] {
            let text = query.pairs.map { name, value in
                "\(name)=\(value.utf8.map { "%" + [$0].hex }.joined())"
            }.joined(separator: "&")
            #expect(try BlobQuery(text) == query)
        }
    }

    @Test(
        "is refused where it is in another form",
        arguments: [
            "", "size=1", "channel=", "channel=kenh%2Fregistry", "channel=k%C3%AA", "channel=a&channel=a",
            "channel=a&size=-1", "channel=a&size=01", "channel=a&size=", "channel=a&size=9223372036854775808",
            "channel=a&offset=1e3", "channel=a&offset=+1", "channel=a&limit=0", "channel=a&limit=1048577",
            "channel=a&status=yes", "channel=%", "channel=%4", "channel=%zz", "channel=%ff", "channel=a&x=%ff",
            "channel=a&size=%F0%9D%9F%8F",
        ])
    func malformed(_ text: String) {
        #expect(throws: ProtocolError(.malformed, "")) { try BlobQuery(text) }
    }

    @Test("a name in a path is 64 lower-case hex digits and nothing else")
    func paths() throws {
        let hash = Hash256(1, 2, 3, 0xabc)
        #expect(try BlobPath.hash(in: BlobPath.path(of: hash)) == hash)
        for path in [
            "/v1/blobs/", "/v1/blobs/" + String(repeating: "A", count: 64), "/v1/blobs/" + hash.bytes.hex + "/",
            "/v1/blobs/" + hash.bytes.hex.dropLast(), "/v1/blobz/" + hash.bytes.hex, hash.bytes.hex,
        ] {
            #expect(throws: ProtocolError(.malformed, "")) { try BlobPath.hash(in: path) }
        }
    }

    @Test("rules refuse what is empty, too large, or of another type")
    func rules() throws {
        let rules = BlobRules(limitBytes: 10, types: ["a/b"])
        try rules.check(size: 10, type: "a/b")
        #expect(throws: ProtocolError(.malformed, "")) { try rules.check(size: 0, type: "a/b") }
        #expect(throws: ProtocolError(.tooLarge, "")) { try rules.check(size: 11, type: "a/b") }
        #expect(throws: ProtocolError(.typeNotAllowed, "")) { try rules.check(size: 1, type: "A/B") }
        #expect(!BlobRules.usualTypes.contains("text/html") && BlobRules.usualTypes.contains("application/pdf"))
    }
}
