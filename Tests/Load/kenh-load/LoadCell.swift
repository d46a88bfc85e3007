import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting

/// A cell that was in step before the outage and has worked on without the centre since.
struct LoadCell: Sendable {
    let key: SigningKey
    let request: WireSyncRequest

    /// Enters all cells, each with a channel of its own, and lets each have written a block.
    static func make(_ count: Int, changes: Int, at centre: LoadCentre) throws -> [LoadCell] {
        let hub = try centre.hub()
        try hub.grant("none", to: "*", in: "*")
        var random = SeededGenerator(seed: 8)
        var keys: [(key: SigningKey, replica: ReplicaID)] = []
        for number in 0..<count {
            let (name, key) = ("C\(number)", try SigningKey(using: &random))
            let replica = ReplicaID.random(using: &random)
            try hub.addCell(code: name, name: name)
            try hub.grant("writer", to: name, in: "plan/\(number)")
            try enter(key, replica, with: hub.issueCode(cell: name), hub)
            keys.append((key, replica))
        }
        let registry = try registryCursor(hub)
        return try keys.enumerated().map { number, cell in
            var request = WireSyncRequest()
            request.protocol = Limits.protocolVersion
            request.replica = Data(cell.replica.bytes)
            request.cursors = [registry]
            request.blocks = [
                try block(
                    changes, channel: "plan/\(number)", organisation: centre.organisation, key: cell.key,
                    replica: cell.replica
                ).wire
            ]
            return LoadCell(key: cell.key, request: request)
        }
    }

    private static func enter(
        _ key: SigningKey, _ replica: ReplicaID, with code: EnrolmentCode, _ hub: Hub
    ) throws {
        let organisation = hub.identity.organisation
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = "laptop"
        request.proof = Data(code.proof(organisation: organisation, deviceKey: key.publicKey, replica: replica))
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        _ = try hub.enroll(request)
    }

    private static func registryCursor(_ hub: Hub) throws -> WireCursor {
        var cursor = WireCursor()
        let (head, epoch) = try hub.head(of: ChannelName.registry)
        cursor.channel = head.channel
        cursor.epoch = Data(epoch)
        cursor.sequence = head.sequence
        cursor.logHash = Data(head.entryHash.bytes)
        cursor.covered = true
        return cursor
    }

    private static func block(
        _ changes: Int, channel: String, organisation: Hash256, key: SigningKey, replica: ReplicaID
    ) throws -> Block {
        let builder = BodyBuilder()
        let table = builder.table("item", idType: .text, columns: ["title", "points"])
        for number in 0..<changes {
            Array("\(channel)/\(number)".utf8).withUnsafeBytes {
                builder.change(
                    .insert, table: table, id: $0, clock: HybridClock(milliseconds: 1_760_000_000_000 + Int64(number)),
                    columns: .first(2), predecessors: [])
            }
            builder.value(.text("Việc số \(number)"), table: table, column: 0)
            builder.value(.integer(Int64(number)), table: table, column: 1)
        }
        let draft = BlockDraft(
            organisation: organisation, channel: channel, replica: replica, officer: "", firstCounter: 1,
            previous: .zero, schemaVersion: 1, isGroupStart: true, isGroupEnd: true)
        return try BlockCodec().seal(builder, as: draft, key: key)
    }
}
