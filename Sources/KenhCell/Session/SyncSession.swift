import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// One sync as a value: events in, effects out. The driver reads the store, sends requests and takes deliveries in; a
/// simulation does the same from a seed.
///
/// Requests are bounded and each answer is taken in before the next request, so whatever is cut stays cut at a block
/// boundary and the next sync goes on from there.
public struct SyncSession: Sendable {
    public struct Options: Sendable {
        public var upLimitBytes = 4 << 20
        public var downLimitBytes = 8 << 20

        public init() {}
    }

    public enum Event: Sendable {
        case started
        case outboxRead(Store.Outbox)
        /// `sentAt` and `receivedAt` are local milliseconds.
        case answered(WireSyncResponse, sentAt: Int64, receivedAt: Int64)
        case taken(DeliveryReport, digests: [String: Digest128])
    }

    public enum Effect: Sendable {
        case readOutbox(limitBytes: Int)
        case send(WireSyncRequest)
        case take(receipts: [WireReceipt], entries: [WireLogEntry], epoch: [UInt8])
        /// Sets what the local clock lacks to the centre's.
        case setClockOffset(milliseconds: Int64)
        case finished(SyncReport)
    }

    /// Offsets below this are the network's, not the clock's.
    public static let clockNoiseMilliseconds: Int64 = 2000

    private let options: Options
    private let replica: ReplicaID
    private let withOwnBlocks: Bool
    /// What has been done so far.
    public private(set) var report = SyncReport()
    private var heads: [WireChannelHead] = []
    private var more = false
    private var sent: [Hash256: UInt32] = [:]

    /// - Parameter withOwnBlocks: ask also for blocks that this device sent itself, because it may have lost them.
    public init(replica: ReplicaID, options: Options = Options(), withOwnBlocks: Bool = false) {
        self.replica = replica
        self.options = options
        self.withOwnBlocks = withOwnBlocks
    }

    public mutating func handle(_ event: Event) -> [Effect] {
        switch event {
        case .started: return [.readOutbox(limitBytes: options.upLimitBytes)]
        case .outboxRead(let outbox): return [.send(request(outbox))]
        case .answered(let response, let sentAt, let receivedAt):
            return answered(response, sentAt: sentAt, receivedAt: receivedAt)
        case .taken(let taken, let digests): return self.taken(taken, digests: digests)
        }
    }

    private mutating func request(_ outbox: Store.Outbox) -> WireSyncRequest {
        more = outbox.hasMore
        sent = Dictionary(uniqueKeysWithValues: outbox.blocks.map { ($0.hash, $0.header.count) })
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(replica.bytes)
        request.cursors = outbox.cursors.map(\.wire)
        request.blocks = outbox.blocks.map(\.wire)
        request.downLimitBytes = UInt32(options.downLimitBytes)
        request.withOwnBlocks = withOwnBlocks
        report.rounds += 1
        return request
    }

    private mutating func answered(_ response: WireSyncResponse, sentAt: Int64, receivedAt: Int64) -> [Effect] {
        heads = response.heads
        more = more || response.more
        for receipt in response.receipts { note(receipt) }
        let offset = response.timeMs - (sentAt + (receivedAt - sentAt) / 2)
        report.clockOffsetMilliseconds = abs(offset) < Self.clockNoiseMilliseconds ? 0 : offset
        return [
            .setClockOffset(milliseconds: report.clockOffsetMilliseconds),
            .take(receipts: response.receipts, entries: response.entries, epoch: Array(response.epoch)),
        ]
    }

    private mutating func note(_ receipt: WireReceipt) {
        switch receipt.verdict {
        case .accepted, .alreadyHad:
            report.sentBlocks += 1
            report.sentChanges += Int(Hash256(bytes: receipt.blockHash).flatMap { sent[$0] } ?? 0)
        default: report.refusals.append(receipt.message)
        }
    }

    private mutating func taken(_ taken: DeliveryReport, digests: [String: Digest128]) -> [Effect] {
        report.receivedBlocks += taken.newBlocks
        report.mergedChanges += taken.changes
        report.heldBlocks = taken.heldBlocks
        // A refused block stays unsent; sending it again at once would only be refused again.
        if more, report.refusals.isEmpty { return [.readOutbox(limitBytes: options.upLimitBytes)] }
        // Only those who have everything can be compared.
        if !more { compare(digests) }
        return [.finished(report)]
    }

    private mutating func compare(_ digests: [String: Digest128]) {
        for head in heads where !head.digest.isEmpty {
            guard let mine = digests[head.channel], let theirs = Digest128(bytes: head.digest) else { continue }
            if mine == theirs { report.equalChannels += 1 } else { report.unequalChannels.append(head.channel) }
        }
    }
}
