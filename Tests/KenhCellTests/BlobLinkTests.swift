import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite("What a cell asks and believes of attachments")
struct BlobLinkTests {
    private let centre: FakeCentre
    private let link: CentreBlobLink
    private let clock = ManualClock(milliseconds: 1_760_000_000_000)
    private let blob = SampleBlob(100)
    private let channel = "plan/KH 1"

    init() throws {
        centre = try FakeCentre()
        var random = SeededGenerator(seed: 2)
        let client = CentreClient(
            transport: centre, key: try SigningKey(using: &random), organisation: centre.organisation,
            clock: { [clock] in clock.milliseconds })
        link = CentreBlobLink(client: client, centre: centre.serving.publicKey)
    }

    private func status(_ have: UInt64) -> WireBlobStatus {
        var status = WireBlobStatus()
        (status.size, status.have, status.type) = (100, have, "image/png")
        return status
    }

    private var query: BlobQuery { BlobQuery(channel: channel, size: 100, type: "image/png", offset: 40) }

    private func put() throws -> WireBlobStatus { try link.put(blob.piece(40), of: blob.hash, query) }

    @Test("a piece goes up with a query that is signed with it")
    func signedQuery() throws {
        centre.will(centre.ok(try WireCoding.encode(status(100))))
        #expect(try put().have == 100)
        let call = try #require(centre.calls.first)
        #expect(call.method == "PUT" && call.path == BlobPath.path(of: blob.hash) && call.body == blob.piece(40))
        #expect(call.encodedQuery == "channel=plan%2FKH%201&size=100&type=image%2Fpng&offset=40")
        #expect(try BlobQuery(call.encodedQuery) == query)
        let headers = Dictionary(call.headers) { $1 }
        let parts = RequestParts(
            method: "PUT", path: call.path, query: "?" + call.encodedQuery, contentType: "application/octet-stream",
            contentDigest: ContentDigest.header(for: call.body), organisation: centre.organisation.bytes.hex)
        let signature = SignatureHeaders(
            signatureInput: headers["Signature-Input"] ?? "", signature: headers["Signature"] ?? "")
        _ = try RequestSignature.verify(parts, signature, now: clock.milliseconds / 1000) { try PublicKey(bytes: $0) }
    }

    @Test(
        "a wrong offset is an answer where the centre signed it, and a failure where it did not",
        arguments: [true, false])
    func offset(_ isSigned: Bool) throws {
        var problem = WireProblem()
        (problem.code, problem.message, problem.recovery) = ("blobOffset", "go on", "retry")
        problem.blob = status(20)
        centre.will(
            .init(status: 409, body: try WireCoding.encode(problem), key: isSigned ? centre.serving : nil))
        if isSigned { #expect(try put().have == 20) } else { #expect(throws: CellError.self) { try put() } }
    }

    @Test("that there is none is believed of the centre alone", arguments: [true, false])
    func missing(_ isSigned: Bool) throws {
        centre.will(try centre.problem(404, "notFound", recovery: "retry", isSigned: isSigned))
        if isSigned {
            #expect(try link.status(of: blob.hash, in: channel) == nil)
        } else {
            #expect(throws: CellError.self) { try link.status(of: blob.hash, in: channel) }
        }
        let call = try #require(centre.calls.first)
        #expect(call.method == "GET" && call.encodedQuery == "channel=plan%2FKH%201&status=1" && call.body.isEmpty)
        #expect(!call.headers.contains { $0.0 == "Content-Type" })
    }

    @Test("a piece that is larger than was asked for, or unsigned, is not taken")
    func pieces() throws {
        let query = BlobQuery(channel: channel, offset: 40, limitBytes: 10)
        centre.will(centre.ok(blob.piece(40, 10)))
        #expect(try link.piece(of: blob.hash, query) == blob.piece(40, 10))
        centre.will(centre.ok(blob.piece(40, 11)))
        #expect(throws: ProtocolError(.tooLarge, "")) { try link.piece(of: blob.hash, query) }
        centre.will(.init(body: blob.piece(40, 10)))
        #expect(throws: CellError(.notTheCentre, "", recovery: .retry)) { try link.piece(of: blob.hash, query) }
    }

    @Test("a refusal says what a person has to do")
    func refusal() throws {
        centre.will(try centre.problem(415, "typeNotAllowed", recovery: "askAPerson"))
        let error = #expect(throws: CellError.self) { try put() }
        #expect(error.map { TransferFailure($0).kind } == .person)
        #expect(TransferFailure(CellError(.unreachable, "", recovery: .retry)).kind == .line)
    }

    @Test("a wrong clock costs one more request")
    func stale() throws {
        centre.will(
            try centre.problem(401, "staleRequest", recovery: "retry", timeMilliseconds: clock.milliseconds + 9_000_000)
        )
        centre.will(centre.ok(try WireCoding.encode(status(100))))
        #expect(try put().have == 100 && centre.calls.count == 2)
    }
}
