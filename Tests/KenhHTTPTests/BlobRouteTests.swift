import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite("PUT and GET /v1/blobs")
struct BlobRouteTests {
    private static let pieceType = "application/octet-stream"

    private let centre: Centre
    private let device: Device
    private let blob = SampleBlob(1_200_000)

    init() throws {
        centre = try Centre()
        device = try centre.joined(5)
    }

    private func put(
        _ piece: [UInt8], _ query: String, path: String? = nil, contentType: String = pieceType
    ) throws -> Message {
        try device.message(
            path ?? BlobPath.path(of: blob.hash), piece, contentType: contentType, method: "PUT", query: query)
    }

    private func get(_ query: String, path: String? = nil, body: [UInt8] = [], contentType: String = "") throws
        -> Message
    {
        var message = try device.message(
            path ?? BlobPath.path(of: blob.hash), body, contentType: contentType, method: "GET", query: query)
        if body.isEmpty { message.body = nil }
        return message
    }

    private func send(_ message: Message) async throws -> TestResponse {
        try await centre.serve { try await $0.send(message) }
    }

    private func upload(_ offset: Int, _ count: Int) throws -> Message {
        try put(
            blob.piece(UInt64(offset), count),
            "?channel=plan%2FKH1&size=\(blob.size)&type=image%2Fpng&offset=\(offset)")
    }

    private func status(_ response: TestResponse, to message: Message) throws -> WireBlobStatus {
        #expect(response.status == .ok)
        return try WireCoding.decode(WireBlobStatus.self, from: try centre.open(response, to: message))
    }

    @Test("take an attachment in pieces and give it back, each answer signed")
    func roundTrip() async throws {
        let first = try upload(0, BlobRules.pieceBytes)
        #expect(try status(try await send(first), to: first).have == UInt64(BlobRules.pieceBytes))
        let ask = try get("?channel=plan%2FKH1&status=1")
        #expect(try status(try await send(ask), to: ask).have == UInt64(BlobRules.pieceBytes))
        let second = try upload(BlobRules.pieceBytes, BlobRules.pieceBytes)
        #expect(try status(try await send(second), to: second).have == blob.size)
        var got: [UInt8] = []
        while got.count < blob.bytes.count {
            let message = try get("?channel=plan%2FKH1&offset=\(got.count)")
            let response = try await send(message)
            #expect(response.status == .ok && response.headers[.contentType] == Self.pieceType)
            let piece = try centre.open(response, to: message)
            #expect(piece.count <= BlobRules.pieceBytes)
            got += piece
        }
        #expect(got == blob.bytes)
    }

    @Test("tell in a signed problem where to go on")
    func offset() async throws {
        _ = try await send(try upload(0, 1000))
        let message = try upload(2000, 1000)
        let response = try await send(message)
        let problem = try centre.problem(response, to: message)
        #expect(response.status == .conflict && problem.code == "blobOffset" && problem.recovery == "retry")
        #expect(problem.blob.have == 1000 && problem.blob.size == blob.size)
    }

    @Test("refuse with a status, a code and a sentence what the rules forbid")
    func refusals() async throws {
        let name = "?channel=plan%2FKH1&size=10&type="
        let others = BlobPath.path(of: Hash256(1, 2, 3, 4))
        let cases: [(Message, HTTPResponse.Status, String)] = [
            (try put([1], name + "text%2Fhtml&offset=0"), .unsupportedMediaType, "typeNotAllowed"),
            (try put([1], "?channel=a&size=99999999&type=image%2Fpng"), .contentTooLarge, "tooLarge"),
            (try put([UInt8](repeating: 1, count: BlobRules.pieceBytes + 1), name), .contentTooLarge, "tooLarge"),
            (try put([1], name + "image%2Fpng", contentType: Device.contentType), .badRequest, "malformed"),
            (try put([1], "?size=10"), .badRequest, "malformed"),
            (try put([1], name, path: "/v1/blobs/ABC"), .badRequest, "malformed"),
            (try get("?channel=plan%2FKH1", path: others), .notFound, "notFound"),
            (try get("?channel=plan%2FKH1&status=1", path: others), .notFound, "notFound"),
            (try get("?channel=kenh%2Fregistry"), .badRequest, "malformed"),
            (try get("?channel=plan%2FKH1", contentType: Device.contentType), .badRequest, "malformed"),
            (try get("?channel=plan%2FKH1", body: [1]), .contentTooLarge, "tooLarge"),
        ]
        for (message, status, code) in cases {
            let response = try await send(message)
            let problem = try centre.problem(response, to: message)
            #expect(response.status == status && problem.code == code && !problem.message.isEmpty, "\(message.query)")
        }
    }

    @Test("refuse a query that was changed on the way, and a piece that was")
    func tampered() async throws {
        var message = try upload(0, 1000)
        message.query = message.query.replacing("offset=0", with: "offset=1")
        #expect(try await send(message).status == .unauthorized)
        message = try upload(0, 1000)
        message.body?[3] ^= 1
        #expect(try await send(message).status == .badRequest)
        let ask = try get("?channel=plan%2FKH1&status=1")
        #expect(try await send(ask).status == .notFound, "nothing of either was taken")
    }

    @Test("take nothing from a device that nobody knows")
    func stranger() async throws {
        let stranger = try Device(seed: 77, organisation: centre.hub.identity.organisation)
        let message = try stranger.message(
            BlobPath.path(of: blob.hash), [1], contentType: Self.pieceType, method: "PUT",
            query: "?channel=a&size=1&type=image%2Fpng")
        let response = try await send(message)
        #expect(try centre.problem(response, to: message).code == "unknownDevice")
    }
}
