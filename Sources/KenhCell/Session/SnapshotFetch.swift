import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Fetches a channel's snapshot chunk by chunk; each is kept as soon as it is here, so what was cut goes on from there.
struct SnapshotFetch {
    let store: Store
    let organisation: Hash256
    let centre: ServingKeys
    let link: any SyncLink

    /// - Parameter progress: told how many of how many chunks are here.
    /// - Returns: how many cells had made it again; nil where the channel cannot begin with it.
    /// - Throws: ``CellError`` where the line fails, and `ProtocolError` where what came is not what the centre signed.
    func run(_ channel: String, progress: (Int, Int) -> Void) throws -> Int? {
        guard try store.mayBegin(channel) else { return nil }
        guard let (manifest, proof, confirmed) = try offered(channel) else { return nil }
        guard let missing = try store.begin(manifest, proof) else { return nil }
        let total = manifest.chunks.count
        for (done, number) in missing.enumerated() {
            progress(total - missing.count + done, total)
            let packed = try Self.unlessRefused { try link.snapshotChunk(manifest.chunks[number].hash, in: channel) }
            // A newer one took its place meanwhile.
            guard let packed else { return nil }
            try store.keep(chunk: number, of: manifest, packed)
        }
        progress(total, total)
        return confirmed
    }

    private static func unlessRefused<T>(_ body: () throws -> T) throws -> T? {
        do { return try body() } catch let error as CellError where error.code == .refused { return nil }
    }

    /// The newest, and how many cells had made it again; nil where there is none.
    ///
    /// - Throws: as ``run(_:progress:)``: it is what the centre signed for in its log, of this organisation and channel.
    func offered(_ channel: String) throws -> (manifest: SnapshotManifest, proof: EntryProof, confirmedBy: Int)? {
        guard let response = try Self.unlessRefused({ try link.snapshot(of: channel) }) else { return nil }
        let manifest = try SnapshotManifest(decoding: Array(response.manifest))
        let proof = try EntryProof(response.proof)
        guard manifest.organisation == organisation else {
            throw ProtocolError(.wrongOrganisation, "the snapshot is of another organisation")
        }
        guard manifest.channel == channel, proof.channel == channel, proof.kind == .snapshot,
            proof.object == manifest.hash, proof.sequence > manifest.sequence
        else { throw ProtocolError(.brokenLink, "the centre's log does not name the snapshot that it gave") }
        guard proof.isGood(by: centre) else {
            throw ProtocolError(.badSignature, "the centre did not sign for the snapshot that it gave")
        }
        return (manifest, proof, Int(response.confirmed))
    }
}

extension CentreLink {
    private static let manifestLimitBytes = 16 << 20

    public func snapshot(of channel: String) throws -> WireSnapshotResponse {
        let answer = try client.answer(
            to: .init(
                method: "GET", path: SnapshotPath.path, query: [("channel", channel)],
                limitBytes: Self.manifestLimitBytes)
        ) { _ in centre }
        guard answer.status == 200 else { throw answer.failure }
        return try WireCoding.decode(WireSnapshotResponse.self, from: answer.body)
    }

    public func snapshotChunk(_ hash: Hash256, in channel: String) throws -> [UInt8] {
        let answer = try client.answer(
            to: .init(
                method: "GET", path: SnapshotPath.path(of: hash), query: [("channel", channel)],
                limitBytes: Limits.snapshotChunkBytes)
        ) { _ in centre }
        guard answer.status == 200 else { throw answer.failure }
        return answer.body
    }
}
