import Foundation
import KenhMerge
import KenhProtocol

/// Checks what an answer says of the log's tree: that its checkpoint goes on from the one that is kept, and that the
/// newest entry of each channel is in it, unless that was shown before. That entry's hash covers the channel's others, so
/// whatever the centre has acknowledged is covered once the channel was followed up to there.
public struct TreeView {
    private let servingKey: PublicKey
    private let organisation: Hash256
    /// The newest checkpoint when the request was made.
    private let known: KeptCheckpoint?

    public init(servingKey: PublicKey, organisation: Hash256, known: KeptCheckpoint?) {
        self.servingKey = servingKey
        self.organisation = organisation
        self.known = known
    }

    public struct Result: Sendable {
        public let checkpoint: KeptCheckpoint
        /// What an earlier life of the log had shown, and this one does not have.
        public let forgotten: KeptCheckpoint?
        /// Heads that were shown to be in the tree, by channel.
        public let covered: [String: LogRecord.Place]

        /// Puts what was found into what a store takes.
        public func add(to delivery: inout Delivery) {
            (delivery.checkpoints, delivery.forgotten, delivery.covered) = ([checkpoint], forgotten, covered)
        }
    }

    /// Two checkpoints of one life of the log of which only one can be true.
    public struct Contradiction: Error {
        public let known: KeptCheckpoint
        public let shown: KeptCheckpoint
    }

    /// - Parameter cursors: as they were sent.
    /// - Throws: ``ProtocolError``: `badSignature`, `malformed`, `brokenLink`; ``Contradiction``.
    public func check(
        _ response: WireSyncResponse, cursors: [ChannelCursor], atMilliseconds: Int64
    ) throws -> Result {
        let shown = try checkpoint(response.checkpoint, epoch: Array(response.epoch), atMilliseconds)
        let isForgotten = try isForgotten(shown, try Self.hashes(response.consistency))
        // What an earlier log's tree covered this one has to show again.
        let sure = Dictionary(
            cursors.filter { $0.isCovered && !isForgotten }.map { ($0.channel, $0.sequence) }
        ) { $1 }
        var covered: [String: LogRecord.Place] = [:]
        for head in response.heads where head.sequence > 0 && sure[head.channel] != head.sequence {
            covered[head.channel] = try place(head, shown.checkpoint)
        }
        return Result(checkpoint: shown, forgotten: isForgotten ? known : nil, covered: covered)
    }

    private func checkpoint(_ note: String, epoch: [UInt8], _ at: Int64) throws -> KeptCheckpoint {
        let shown = try KeptCheckpoint(note: note, keys: ServingKeys(servingKey), atMilliseconds: at)
        guard shown.checkpoint.origin == Checkpoint.origin(organisation: organisation, epoch: epoch) else {
            throw ProtocolError(.brokenLink, "the centre's checkpoint is of another log")
        }
        return shown
    }

    private func isForgotten(_ shown: KeptCheckpoint, _ consistency: [Hash256]) throws -> Bool {
        guard let known else { return false }
        if shown.checkpoint.continues(known.checkpoint, consistency) { return false }
        guard shown.checkpoint.origin != known.checkpoint.origin else {
            throw Contradiction(known: known, shown: shown)
        }
        return true
    }

    private func place(_ head: WireChannelHead, _ checkpoint: Checkpoint) throws -> LogRecord.Place {
        guard let hash = Hash256(bytes: head.logHash),
            checkpoint.holds(entry: hash, at: head.position, try Self.hashes(head.inclusion))
        else {
            throw ProtocolError(
                .brokenLink, "the centre does not show that its newest entry of \(head.channel) is in its log",
                recovery: .retry)
        }
        return LogRecord.Place(sequence: head.sequence, logHash: hash)
    }

    static func hashes(_ wire: [Data]) throws(ProtocolError) -> [Hash256] {
        guard wire.count <= MerkleProof.hashLimit else {
            throw ProtocolError(.malformed, "a proof has more hashes than any tree has levels")
        }
        var hashes: [Hash256] = []
        for bytes in wire {
            guard let hash = Hash256(bytes: bytes) else {
                throw ProtocolError(.malformed, "a proof's hash has a wrong length")
            }
            hashes.append(hash)
        }
        return hashes
    }
}
