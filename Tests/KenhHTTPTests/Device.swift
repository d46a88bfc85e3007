import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization

/// A cell's device as far as the routes see it: a key, a replica, and one lane of blocks.
final class Device: Sendable {
    static let contentType = "application/x-protobuf"

    let key: SigningKey
    let replica: ReplicaID
    private let organisation: Hash256
    private struct State {
        var random: SeededGenerator
        var previous = Hash256.zero
        var nextCounter: UInt64 = 1
    }
    private let state: Mutex<State>

    init(seed: UInt64, organisation: Hash256) throws {
        var random = SeededGenerator(seed: seed)
        key = try SigningKey(using: &random)
        replica = .random(using: &random)
        self.organisation = organisation
        state = Mutex(State(random: random))
    }

    /// A signed request.
    func message(
        _ path: String, _ body: [UInt8], at milliseconds: Int64 = Centre.start,
        contentType: String = Device.contentType,
        organisation: String? = nil, method: String = "POST", query: String = ""
    ) throws -> Message {
        let nonce = state.withLock { Nonce(using: &$0.random) }
        let parts = RequestParts(
            method: method, path: path, query: query, contentType: contentType,
            contentDigest: method == "GET" && body.isEmpty ? "" : ContentDigest.header(for: body),
            organisation: organisation ?? self.organisation.bytes.hex)
        let signature = try RequestSignature.sign(parts, with: key, created: milliseconds / 1000, nonce: nonce)
        return Message(
            method: method, path: path, query: query,
            headers: [
                ("content-type", contentType), ("content-digest", parts.contentDigest),
                ("kenh-organisation", parts.organisation), ("signature-input", signature.signatureInput),
                ("signature", signature.signature),
            ].filter { method != "GET" || !$0.1.isEmpty }, body: body, nonce: nonce)
    }

    /// A signed request for the stream.
    func wakeMessage(
        at milliseconds: Int64 = Centre.start, contentType: String = "", contentDigest: String = "",
        organisation: String? = nil
    ) throws -> Message {
        let nonce = state.withLock { Nonce(using: &$0.random) }
        let parts = RequestParts(
            method: "GET", path: "/v1/wake", query: "", contentType: contentType, contentDigest: contentDigest,
            organisation: organisation ?? self.organisation.bytes.hex)
        let signature = try RequestSignature.sign(parts, with: key, created: milliseconds / 1000, nonce: nonce)
        let content = [("content-type", contentType), ("content-digest", contentDigest)].filter { !$0.1.isEmpty }
        return Message(
            method: "GET", path: parts.path,
            headers: content + [
                ("kenh-organisation", parts.organisation), ("signature-input", signature.signatureInput),
                ("signature", signature.signature),
            ], body: nil, nonce: nonce)
    }

    func enrolment(with code: EnrolmentCode) throws -> WireEnrollRequest {
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = "laptop"
        request.proof = Data(code.proof(organisation: organisation, deviceKey: key.publicKey, replica: replica))
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        return request
    }

    func enrolmentMessage(_ request: WireEnrollRequest) throws -> Message {
        try message("/v1/enroll", try WireCoding.encode(request))
    }

    func sync(_ blocks: [Block] = []) -> WireSyncRequest {
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(replica.bytes)
        request.blocks = blocks.map(\.wire)
        return request
    }

    func syncMessage(_ request: WireSyncRequest, at milliseconds: Int64 = Centre.start) throws -> Message {
        try message("/v1/sync", try WireCoding.encode(request), at: milliseconds)
    }

    /// The lane's next block, with one new row.
    func seal(_ title: String, channel: String = "plan/KH1") throws -> Block {
        try state.withLock { state in
            let builder = BodyBuilder()
            let table = builder.table("work_item", idType: .text, columns: ["title"])
            Array("KH1/\(state.nextCounter)".utf8).withUnsafeBytes {
                builder.change(
                    .insert, table: table, id: $0, clock: HybridClock(milliseconds: Centre.start), columns: .first(1),
                    predecessors: [])
            }
            builder.value(.text(title), table: table, column: 0)
            let draft = BlockDraft(
                organisation: organisation, channel: channel, replica: replica, officer: "",
                firstCounter: state.nextCounter, previous: state.previous, schemaVersion: 1, isGroupStart: true,
                isGroupEnd: true)
            let block = try BlockCodec().seal(builder, as: draft, key: key)
            (state.previous, state.nextCounter) = (block.hash, state.nextCounter + 1)
            return block
        }
    }
}
