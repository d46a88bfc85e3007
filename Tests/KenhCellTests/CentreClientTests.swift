import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite("What a cell believes of an answer")
struct CentreClientTests {
    private static let now: Int64 = 1_760_000_000_000

    private let centre: FakeCentre
    private let client: CentreClient
    private let clock = ManualClock(milliseconds: CentreClientTests.now)

    init() throws {
        centre = try FakeCentre()
        var random = SeededGenerator(seed: 2)
        client = CentreClient(
            transport: centre, key: try SigningKey(using: &random), organisation: centre.organisation,
            clock: { [clock] in clock.milliseconds })
    }

    private func sync() throws -> WireSyncResponse {
        try client.sync(WireSyncRequest(), centre: centre.serving.publicKey)
    }

    /// Why the sync failed; nil where it did not.
    private func failure() -> CellError? {
        do {
            _ = try sync()
            return nil
        } catch { return error as? CellError }
    }

    // MARK: good answers

    @Test("an answer that the centre signed for this request is taken")
    func good() throws {
        centre.will(try centre.sync())
        #expect(try sync().timeMs == 42)
        let call = try #require(centre.calls.first)
        #expect(call.method == "POST" && call.path == "/v1/sync" && call.bodyLimitBytes == Limits.requestBytes)
        let parts = RequestParts(
            method: "POST", path: "/v1/sync", query: "", contentType: CentreClient.contentType,
            contentDigest: ContentDigest.header(for: call.body), organisation: centre.organisation.bytes.hex)
        let headers = Dictionary(call.headers) { $1 }
        let signature = SignatureHeaders(
            signatureInput: headers["Signature-Input"] ?? "", signature: headers["Signature"] ?? "")
        let verified = try RequestSignature.verify(parts, signature, now: Self.now / 1000) { try PublicKey(bytes: $0) }
        #expect(verified.created == Self.now / 1000)
    }

    // MARK: a wrong clock

    @Test(
        "to a request out of time it learns the centre's, and one retry succeeds",
        arguments: [86_400_000, -400 * 86_400_000])
    func stale(_ offset: Int64) throws {
        centre.will(try centre.problem(401, "staleRequest", recovery: "retry", timeMilliseconds: Self.now + offset))
        centre.will(try centre.sync())
        #expect(try sync().timeMs == 42)
        let created = centre.calls.map(FakeCentre.created)
        #expect(created == [Self.now / 1000, (Self.now + offset) / 1000])
        let nonces = Set(centre.calls.map { call in call.headers.first { $0.0 == "Signature-Input" }?.1 })
        #expect(nonces.count == 2)
    }

    @Test("there is one retry and no more")
    func staleTwice() throws {
        for _ in 0..<3 {
            centre.will(
                try centre.problem(401, "staleRequest", recovery: "retry", timeMilliseconds: Self.now + 1_000_000))
        }
        #expect(failure()?.code == .refused)
        #expect(centre.calls.count == 2)
    }

    @Test("the time is not taken from an answer that the centre did not sign, nor from an absurd one")
    func falseTime() throws {
        centre.will(try centre.problem(401, "staleRequest", timeMilliseconds: Self.now * 2, isSigned: false))
        #expect(failure()?.code == .refused)
        centre.will(try centre.problem(401, "staleRequest", timeMilliseconds: .min))
        #expect(failure()?.code == .refused)
        #expect(centre.calls.count == 2)
    }

    // MARK: answers that are not the centre's

    @Test("one without a signature, by another key, to another request, or with another body is not the centre's")
    func forged() throws {
        var random = SeededGenerator(seed: 3)
        let good = try centre.sync()
        var unsigned = good
        unsigned.key = nil
        var stranger = good
        stranger.key = try SigningKey(using: &random)
        var replayed = good
        replayed.nonce = Nonce(using: &random)
        var changed = good
        changed.sentBody = good.body + [0]
        for (what, answer) in [
            ("unsigned", unsigned), ("stranger", stranger), ("replayed", replayed), ("changed", changed),
        ] {
            centre.will(answer)
            #expect(failure()?.code == .notTheCentre, "\(what)")
        }
    }

    @Test("no bit of a signed answer can be changed")
    func bits() throws {
        var random = SeededGenerator(seed: 4)
        let good = try centre.sync()
        for _ in 0..<50 {
            var changed = good
            changed.sentBody = good.body
            changed.sentBody?[random.below(good.body.count)] ^= 1 << UInt8(random.below(8))
            centre.will(changed)
            #expect(failure()?.code == .notTheCentre)
        }
    }

    @Test("a signed refusal cannot be passed off as success, nor the reverse")
    func status() throws {
        var refusal = try centre.problem(403, "forbidden")
        centre.will(refusal)
        #expect(failure()?.message == "because of forbidden")
        refusal.headers = [("x", "y")]
        refusal.status = 200
        refusal.key = nil
        centre.will(refusal)
        #expect(failure()?.code == .notTheCentre)
    }

    // MARK: failures

    @Test("the centre's failures say what to do: wait, try again, compare, ask")
    func failures() throws {
        var busy = FakeCentre.Answer(status: 429)
        busy.headers = [("retry-after", "30")]
        centre.will(busy)
        let wait = failure()
        #expect(wait?.code == .rateLimited && wait?.retryAfterSeconds == 30)
        centre.will(FakeCentre.Answer(status: 503))
        #expect(failure()?.code == .unreachable)
        centre.will(try centre.problem(507, "diskFull", recovery: "retry"))
        #expect(failure()?.code == .centreFailed)
        centre.will(try centre.problem(409, "logMismatch", recovery: "resync"))
        #expect(failure()?.recovery == .resync)
        centre.will(try centre.problem(403, "unknownDevice", recovery: "askAPerson"))
        #expect(failure()?.code == .refused)
        centre.will(FakeCentre.Answer(status: 404, body: Array("<html>".utf8)))
        #expect(failure()?.code == .notTheCentre)
        #expect(failure()?.code == .unreachable, "nobody answers")
    }

    @Test("nobody but the centre can make a cell offer everything again")
    func unsignedResync() throws {
        centre.will(try centre.problem(409, "logMismatch", recovery: "resync", isSigned: false))
        #expect(failure()?.recovery != .resync)
    }

    // MARK: joining

    private func code(of centre: FakeCentre) -> EnrolmentCode {
        var random = SeededGenerator(seed: 8)
        return EnrolmentCode(organisation: centre.organisation, using: &random)
    }

    private func enroll(_ code: EnrolmentCode, onTrust: () throws -> Void = {}) throws -> String {
        try client.enroll(code: code, replica: ReplicaID(high: 1, low: 2), deviceName: "laptop", onTrust: onTrust)
            .response.cell
    }

    @Test("a joining device proves the code only after the centre has shown that it made it, and never sends it")
    func joining() throws {
        centre.will(try centre.hello())
        centre.will(try centre.hello(cell: "CB1"))
        let code = code(of: centre)
        var callsBefore = -1
        #expect(try enroll(code) { callsBefore = centre.calls.count } == "CB1")
        #expect(callsBefore == 1, "key and replica can be kept before the code is used")
        let requests = try centre.calls.map { try WireCoding.decode(WireEnrollRequest.self, from: $0.body) }
        #expect(requests.map(\.proof.isEmpty) == [true, false])
        for call in centre.calls {
            #expect(call.body.firstRange(of: code.secret) == nil)
            #expect(!call.headers.contains { $0.1.contains(code.text) })
        }
    }

    @Test("a centre that did not make the code is shown no proof", arguments: [true, false])
    func wrongCentre(_ isSigned: Bool) throws {
        var hello = try centre.hello()
        if !isSigned { hello.key = nil }
        centre.will(hello)
        let code = isSigned ? code(of: try FakeCentre(seed: 99)) : code(of: centre)
        var isTrusted = false
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) { try enroll(code) { isTrusted = true } }
        #expect(!isTrusted && centre.calls.count == 1)
    }

    @Test("a device whose clock is years off can join")
    func joiningWithAWrongClock() throws {
        clock.milliseconds = 0
        let stale = try centre.problem(401, "staleRequest", recovery: "retry", timeMilliseconds: Self.now)
        centre.will(stale)
        centre.will(try centre.hello())
        centre.will(stale)
        centre.will(try centre.hello(cell: "CB1"))
        #expect(try enroll(code(of: centre)) == "CB1")
        #expect(centre.calls.map(FakeCentre.created) == [0, Self.now / 1000, 0, Self.now / 1000])
    }

    @Test("a refusal of the code has to be signed by the centre that made it")
    func refusedCode() throws {
        centre.will(try centre.hello())
        centre.will(try centre.problem(403, "codeUsed", recovery: "askAPerson"))
        #expect(throws: CellError(.refused, "", recovery: .stop)) { try enroll(code(of: centre)) }
        var forged = try centre.problem(403, "codeUsed")
        forged.key = centre.root
        centre.will(try centre.hello())
        centre.will(forged)
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) { try enroll(code(of: centre)) }
    }
}
