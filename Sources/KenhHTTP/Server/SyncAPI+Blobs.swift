import Hummingbird
import KenhHub
import KenhProtocol
import Metrics

extension SyncAPI {
    static let pieceType = "application/octet-stream"

    /// `PUT` and `GET /v1/blobs/{sha256}`.
    func addBlobs(_ blobs: HubBlobs, to router: Router<BasicRequestContext>) {
        router.put("/v1/blobs/{sha256}") { request, _ in
            try await respond(to: request) { request in
                let (signed, device, piece) = try await open(
                    request, limit: BlobRules.pieceBytes, contentType: Self.pieceType)
                let (hash, query) = (try BlobPath.hash(in: request.uri.path), try Self.query(of: request))
                let status = try await onBlobQueue { try blobs.put(hash, query, piece: piece, from: device) }
                Counter(label: "kenh_hub_blob_bytes_received", dimensions: dimensions).increment(by: piece.count)
                return (signed, try WireCoding.encode(status))
            }
        }
        router.get("/v1/blobs/{sha256}") { request, _ in
            // Which of the two answers it is has to be known before its content.
            let wantsPiece = (try? Self.query(of: request).wantsStatus) == false
            return try await respond(to: request, contentType: wantsPiece ? Self.pieceType : SignedExchange.contentType)
            {
                request in
                let (signed, device, _) = try await open(request, limit: 0)
                let (hash, query) = (try BlobPath.hash(in: request.uri.path), try Self.query(of: request))
                let body = try await onBlobQueue {
                    guard query.wantsStatus else { return try blobs.piece(hash, query, for: device) }
                    return try WireCoding.encode(try blobs.status(hash, query, for: device))
                }
                return (signed, body)
            }
        }
    }

    private static func query(of request: Request) throws -> BlobQuery { try BlobQuery(request.uri.query ?? "") }
}
