import Hummingbird
import KenhHub
import KenhProtocol

extension SyncAPI {
    /// `GET /v1/snapshots` and `/v1/snapshots/{sha256}`, on the queue of attachments: reading them holds up no sync.
    func addSnapshots(to router: Router<BasicRequestContext>) {
        router.get("/v1/snapshots") { request, _ in
            try await respond(to: request) { request in
                let (signed, device, _) = try await open(request, limit: 0)
                let channel = try BlobQuery(request.uri.query ?? "").channel
                let answer = try await onBlobQueue { try hub.snapshot(of: channel, for: device) }
                return (signed, try WireCoding.encode(answer))
            }
        }
        router.get("/v1/snapshots/{sha256}") { request, _ in
            try await respond(to: request, contentType: Self.pieceType) { request in
                let (signed, device, _) = try await open(request, limit: 0)
                let channel = try BlobQuery(request.uri.query ?? "").channel
                let hash = try SnapshotPath.hash(in: request.uri.path)
                return (signed, try await onBlobQueue { try hub.snapshotChunk(hash, in: channel, for: device) })
            }
        }
    }
}
