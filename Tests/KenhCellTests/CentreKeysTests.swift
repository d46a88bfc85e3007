import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

/// How a cell finds out that its centre was given another key.
@Suite("The centre's keys") struct CentreKeysTests {
    private let centre: FakeCentre
    private let client: CentreClient
    private let second: SigningKey
    private let known: ServingCertificates

    init() throws {
        centre = try FakeCentre()
        var random = SeededGenerator(seed: 2)
        second = try SigningKey(using: &random)
        client = CentreClient(
            transport: centre, key: try SigningKey(using: &random), organisation: centre.organisation,
            clock: { 0 }, random: { SeededGenerator(seed: 3) })
        known = try ServingCertificates([centre.certificate], root: centre.root.publicKey)
    }

    private func certificate(_ key: SigningKey, from begins: Int64, by root: SigningKey? = nil) throws
        -> WireSignedStatement
    {
        try ServingCertificate(
            organisation: centre.organisation, servingKey: key.publicKey, notBeforeMilliseconds: begins,
            notAfterMilliseconds: .max, name: "Đảng bộ Trường"
        ).signed(by: root ?? centre.root)
    }

    private func says(_ certificates: [WireSignedStatement], signedBy key: SigningKey) throws -> FakeCentre.Answer {
        var response = WireKeysResponse()
        response.rootKey = Data(centre.root.publicKey.bytes)
        response.certificates = certificates
        return FakeCentre.Answer(body: try WireCoding.encode(response), key: key)
    }

    @Test("are taken up where the root key certified them, with the earlier ones")
    func renewed() throws {
        centre.will(try says([certificate(second, from: 5), centre.certificate], signedBy: second))
        let renewed = try #require(try client.renewed(known))
        #expect(renewed.keys == ServingKeys(second.publicKey, earlier: [centre.serving.publicKey]))
        #expect(centre.calls.map(\.method) == ["GET"] && centre.calls.map(\.path) == ["/v1/keys"])
        centre.will(try says([certificate(second, from: 5)], signedBy: second))
        #expect(try client.renewed(renewed) == nil, "nothing is forgotten that was known")
    }

    @Test("are not taken from anybody else, nor from an answer to another question")
    func strangers() throws {
        var random = SeededGenerator(seed: 8)
        let stranger = try SigningKey(using: &random)
        centre.will(try says([certificate(second, from: 5, by: stranger)], signedBy: second))
        #expect(throws: ProtocolError(.badSignature, "")) { try client.renewed(known) }
        centre.will(try says([certificate(second, from: 5)], signedBy: stranger))
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) { try client.renewed(known) }
        var late = try says([certificate(second, from: 5)], signedBy: second)
        late.nonce = Nonce(using: &random)
        centre.will(late)
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) { try client.renewed(known) }
        centre.will(FakeCentre.Answer(body: [1, 2, 3]))
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) { try client.renewed(known) }
    }

    @Test("that were replaced are not believed again, and people are told what to do")
    func replaced() throws {
        let renewed = try known.joined(with: [certificate(second, from: 5)])
        centre.will(try says([centre.certificate], signedBy: centre.serving))
        let failure = #expect(throws: CellError.self) { try client.renewed(renewed) }
        #expect(failure?.message.contains("kenh central key rotate") == true)
    }

    @Test("sign the time for whoever asks")
    func time() throws {
        var response = WireTimeResponse()
        response.timeMs = 1_700_000_000_123
        let body = try WireCoding.encode(response)
        centre.will(centre.ok(body))
        #expect(try client.time(centre: centre.serving.publicKey) == 1_700_000_000_123)
        centre.will(FakeCentre.Answer(body: body, key: second))
        #expect(throws: CellError(.notTheCentre, "", recovery: .stop)) {
            try client.time(centre: centre.serving.publicKey)
        }
    }
}
