import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Writes a log into a file from which anybody can check it without the centre: what it shows in words, who the
/// organisation is, checkpoints, every entry with its object, and a seal.
public struct AuditExport {
    private let log: any HubLog
    private let identity: HubIdentity
    private let hub: Hub
    /// That the centre's own store keeps.
    private let checkpoints: [KeptCheckpoint]

    private static let pageBytes = 8 << 20

    public init(hub: Hub, checkpoints: [KeptCheckpoint]) {
        (log, identity, self.hub, self.checkpoints) = (hub.log, hub.identity, hub, checkpoints)
    }

    /// - Parameters:
    ///   - write: told the file's bytes, piece by piece.
    ///   - progress: how many steps of how many are done.
    /// - Returns: the text at the head of the file.
    public func run(
        progress: (UInt64, UInt64) -> Void = { _, _ in }, _ write: @escaping ([UInt8]) throws -> Void
    ) throws -> String {
        let now = try log.read { try hub.checkpoint($0) }
        var index = AuditIndex()
        try forEach(upTo: now.size) { entry in
            try Self.add(entry, to: &index)
            progress(entry.position, now.size * 2)
        }
        let certificate = try ServingCertificate(identity.certificate, root: identity.rootKey)
        let text = index.text(organisation: identity.organisation, name: certificate.name, root: now.root)
        var writer = try AuditWriter(write)
        try writer.add(.index(text))
        var organisation = WireAuditOrganisation()
        organisation.rootKey = Data(identity.rootKey.bytes)
        let certificates = try log.read { try hub.certificates($0) }
        organisation.servingCertificate = certificates.signed[0]
        organisation.earlierCertificates = Array(certificates.signed.dropFirst())
        try writer.add(.organisation(organisation))
        let note = try hub.note(now)
        for kept in checkpoints where kept.note != note { try writer.add(.checkpoint(kept.note)) }
        try writer.add(.checkpoint(note))
        try forEach(upTo: now.size) { entry in
            var wire = try entry.wire(withBlock: true)
            wire.epoch = Data(entry.epoch)
            try writer.add(.entry(wire))
            progress(now.size + entry.position, now.size * 2)
        }
        try writer.seal(with: identity.servingKey)
        return text
    }

    private func forEach(upTo size: UInt64, _ body: (StoredEntry) throws -> Void) throws {
        var position: UInt64 = 0
        while position < size {
            let page = try log.read { [position] in
                try $0.entries(afterPosition: position, limitBytes: Self.pageBytes)
            }
            guard let last = page.last else { return }
            for entry in page where entry.position <= size { try body(entry) }
            position = last.position
        }
    }

    private static func add(_ entry: StoredEntry, to index: inout AuditIndex) throws {
        index.countEntry()
        switch entry.kind {
        case .block, .ruling:
            guard entry.hasBlock else { return }
            let wire = try WireCoding.decode(WireBlock.self, from: entry.payload)
            let header = try BlockHeader(decoding: Array(wire.header))
            index.add(header, acceptedAt: entry.acceptedAtMilliseconds)
            if !entry.ruling.isEmpty { index.add(try Ruling(decoding: entry.ruling), on: header) }
        case .registry:
            let signed = try WireCoding.decode(WireSignedStatement.self, from: entry.payload)
            index.add(
                try WireCoding.decode(WireRegistryStatement.self, from: Array(signed.statement)),
                acceptedAt: entry.acceptedAtMilliseconds)
        case .erasure:
            index.add(
                try Erasure(decoding: entry.payload), in: entry.channel, acceptedAt: entry.acceptedAtMilliseconds)
        case .finality:
            index.add(
                try Finality(decoding: entry.payload), in: entry.channel, acceptedAt: entry.acceptedAtMilliseconds)
        default: break
        }
    }
}
