import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol

/// The line for attachments: every request is answered at once, unless it, or the answer to it, is lost.
final class SimulatedBlobLink: BlobLink {
    private let centre: SimulatedCentre
    private let key: PublicKey
    private let percent: Int
    private var random: SeededGenerator
    /// Requests and answers that were lost.
    private(set) var lost = 0

    /// - Parameter percent: in how many of 100 requests something is lost.
    init(_ centre: SimulatedCentre, as key: PublicKey, percent: Int, seed: UInt64) {
        (self.centre, self.key, self.percent) = (centre, key, percent)
        random = SeededGenerator(seed: seed)
    }

    private func ask<T>(_ body: (HubBlobs, RegisteredDevice) throws -> T) throws -> T {
        try lose()
        let answer = try centre.blobs(for: key, body)
        try lose()
        return answer
    }

    private func lose() throws {
        guard random.chance(percent: percent) else { return }
        lost += 1
        throw CellError(.unreachable, "the line is down", recovery: .retry)
    }

    func status(of hash: Hash256, in channel: String) throws -> WireBlobStatus? {
        try ask { blobs, device in
            do { return try blobs.status(hash, BlobQuery(channel: channel, wantsStatus: true), for: device) } catch let
                error
                as ProtocolError where error.code == .notFound
            { return nil }
        }
    }

    func put(_ piece: [UInt8], of hash: Hash256, _ query: BlobQuery) throws -> WireBlobStatus {
        try ask { blobs, device in
            do { return try blobs.put(hash, query, piece: piece, from: device) } catch let error as HubError {
                guard let blob = error.blob else { throw error }
                return blob
            }
        }
    }

    func piece(of hash: Hash256, _ query: BlobQuery) throws -> [UInt8] {
        try ask { try $0.piece(hash, query, for: $1) }
    }
}
