import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// One sync as a value: events in, effects out. The driver reads the store, sends requests and takes deliveries in; a
/// simulation does the same from a seed.
///
/// Requests are bounded and each answer is taken in before the next request, so whatever is cut stays cut at a block
/// boundary and the next sync goes on from there. Where the centre turns out to have been restored from an older copy,
/// or this device to have been, the session puts that right and goes on.
public struct SyncSession: Sendable {
    public struct Options: Sendable {
        public var upLimitBytes = 4 << 20
        public var downLimitBytes = 8 << 20
        /// Whether channels may begin with snapshots.
        public var takesSnapshots = false

        public init() {}
    }

    public enum Event: Sendable {
        case started
        case outboxRead(Store.Outbox)
        /// `sentAt` and `receivedAt` are local milliseconds.
        case answered(WireSyncResponse, sentAt: Int64, receivedAt: Int64)
        case taken(DeliveryReport, digests: [String: Digest128])
        case reconciled(ReconcileSession.Event)
        /// A channel's snapshot is here, and so many cells had made it again; nil where it cannot begin with one.
        case snapshotFetched(String, confirmedBy: Int?)
        /// The last effect could not be performed.
        case failed(any Error)
    }

    public enum Effect: Sendable {
        case readOutbox(limitBytes: Int)
        case send(WireSyncRequest)
        case take(receipts: [WireReceipt], entries: [WireLogEntry], epoch: [UInt8])
        /// Sets what the local clock lacks to the centre's. Has no event.
        case setClockOffset(milliseconds: Int64)
        case reconcile(ReconcileSession.Effect)
        case fetchSnapshot(channel: String)
        /// Has no event.
        case abandonSnapshot(channel: String, reason: String)
        case finished(SyncReport)
        case failed(any Error)
    }

    /// Offsets below this are the network's, not the clock's.
    public static let clockNoiseMilliseconds: Int64 = 2000
    /// Centre and device may both have been restored, and again meanwhile.
    private static let remedyLimit = 4

    private let options: Options
    /// What has been done so far.
    public private(set) var report = SyncReport()
    private var heads: [WireChannelHead] = []
    private var more = false
    private var sent: [Hash256: UInt32] = [:]
    /// The centre lacks something that a block which it was sent builds on.
    private var isMissingBelow = false
    /// Ask also for blocks that this device sent itself, because it has lost some.
    private var withOwnBlocks = false
    private var reconciliation: ReconcileSession?
    private var remedies = 0
    private var hasReconciled = false
    /// Channels whose snapshots are to be fetched, and those that were asked for one.
    private var offered: [String] = []
    private var asked: Set<String> = []
    private var declined: Set<String> = []

    public init(options: Options = Options()) { self.options = options }

    public mutating func handle(_ event: Event) -> [Effect] {
        switch event {
        case .started: return [nextRound()]
        case .outboxRead(let outbox): return [.send(request(outbox))]
        case .answered(let response, let sentAt, let receivedAt):
            return answered(response, sentAt: sentAt, receivedAt: receivedAt)
        case .taken(let taken, let digests): return self.taken(taken, digests: digests)
        case .reconciled(let event): return reconciled(event)
        case .snapshotFetched(let channel, let cells):
            if let cells { report.snapshots.append(.init(channel: channel, confirmedBy: cells)) }
            if cells == nil { declined.insert(channel) }
            return [nextStep()]
        case .failed(let error as StoreError) where error.code == .unusableSnapshot:
            guard let channel = error.channel, remedies < Self.remedyLimit else { return [.failed(error)] }
            remedies += 1
            return [.abandonSnapshot(channel: channel, reason: error.message), nextRound()]
        case .failed(let error): return [remedy(error) ?? .failed(error)]
        }
    }

    /// Snapshots before the next round.
    private mutating func nextStep() -> Effect {
        guard !offered.isEmpty else { return nextRound() }
        return .fetchSnapshot(channel: offered.removeFirst())
    }

    private func nextRound() -> Effect { .readOutbox(limitBytes: options.upLimitBytes) }

    private mutating func request(_ outbox: Store.Outbox) -> WireSyncRequest {
        more = outbox.hasMore
        sent = Dictionary(outbox.blocks.map { ($0.hash, $0.header.count) }) { first, _ in first }
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(outbox.replica.bytes)
        request.cursors = outbox.cursors.map(\.wire)
        request.receipts = outbox.receipts.map(\.wire)
        request.blocks = outbox.blocks.map(\.wire)
        request.treeSize = outbox.checkpoint?.checkpoint.size ?? 0
        request.downLimitBytes = UInt32(options.downLimitBytes)
        request.withOwnBlocks = withOwnBlocks
        request.takesSnapshots = options.takesSnapshots
        request.bases = (outbox.snapshots.bases + declined.sorted().map { ($0, 0) }).map { channel, sequence in
            var base = WireSnapshotBase()
            base.channel = channel
            base.sequence = sequence
            return base
        }
        request.confirmed = outbox.snapshots.confirmed.map { Data($0.bytes) }
        request.erasuresPending = outbox.hasErasuresPending
        request.allSent = !outbox.hasMore
        report.rounds += 1
        return request
    }

    private mutating func answered(_ response: WireSyncResponse, sentAt: Int64, receivedAt: Int64) -> [Effect] {
        heads = response.heads
        more = more || response.more
        // Behind a block that is refused for itself, all that build on it are held back: comparing logs cannot help.
        let verdicts = Set(response.receipts.map(\.verdict))
        isMissingBelow = verdicts.contains(.heldBack) && verdicts.isDisjoint(with: [.invalid, .quarantined])
        for receipt in response.receipts { note(receipt) }
        offered = []
        for head in response.heads where !head.snapshot.isEmpty {
            // What is offered again is taken without: it did not help.
            if asked.insert(head.channel).inserted {
                offered.append(head.channel)
            } else {
                declined.insert(head.channel)
            }
            more = true
        }
        // Any time may come in an answer: one that no clock can show is passed over.
        let (offset, isAbsurd) = response.timeMs.subtractingReportingOverflow(sentAt + (receivedAt - sentAt) / 2)
        let isNoise = offset.magnitude < Self.clockNoiseMilliseconds.magnitude
        report.clockOffsetMilliseconds = isAbsurd || isNoise ? 0 : offset
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
        case .heldBack where isMissingBelow: break
        default: report.refusals.append(receipt.message)
        }
    }

    private mutating func taken(_ taken: DeliveryReport, digests: [String: Digest128]) -> [Effect] {
        report.receivedBlocks += taken.newBlocks
        report.mergedChanges += taken.changes
        report.heldBlocks = taken.heldBlocks
        report.regainedBlocks += taken.lostBlocks
        report.rejectedChanges += taken.rejectedChanges
        report.leftChannels += taken.leftChannels
        report.erasures += taken.erasures
        // The next request says that it is done.
        if taken.erasures > 0 { more = true }
        if isMissingBelow {
            let missing = CellError(.diverged, "the centre lacks what it was sent before", recovery: .resync)
            return [remedy(missing) ?? .failed(missing)]
        }
        // A refused block stays unsent; sending it again at once would only be refused again.
        if more, report.refusals.isEmpty { return [nextStep()] }
        if !more, taken.owesAcceptances, !hasReconciled { return [reconcile()] }
        // Only those who have everything can be compared.
        if !more { compare(digests) }
        return [.finished(report)]
    }

    // MARK: after a restore

    /// What can be done about an error; nil where nothing can.
    private mutating func remedy(_ error: any Error) -> Effect? {
        guard reconciliation == nil, remedies < Self.remedyLimit else { return nil }
        switch error {
        case let error as StoreError where error.recovery == .resync && !withOwnBlocks:
            withOwnBlocks = true
            remedies += 1
            return nextRound()
        case let error as CellError where error.recovery == .resync: return reconcile()
        // A restored centre opens a new epoch where it is shown what it had signed; one that lies does not.
        case is TreeView.Contradiction where !hasReconciled: return reconcile()
        case let error as ProtocolError where error.recovery == .resync: return reconcile()
        default: return nil
        }
    }

    private mutating func reconcile() -> Effect {
        hasReconciled = true
        remedies += 1
        var session = ReconcileSession(limitBytes: options.upLimitBytes)
        let effect = session.handle(.started)
        reconciliation = session
        return .reconcile(effect)
    }

    private mutating func reconciled(_ event: ReconcileSession.Event) -> [Effect] {
        guard let effect = reconciliation?.handle(event) else { return [] }
        guard case .finished(let handedBackBlocks) = effect else { return [.reconcile(effect)] }
        reconciliation = nil
        report.handedBackBlocks += handedBackBlocks
        return [nextRound()]
    }

    private mutating func compare(_ digests: [String: Digest128]) {
        for head in heads where !head.digest.isEmpty {
            guard let mine = digests[head.channel], let theirs = Digest128(bytes: head.digest) else { continue }
            if mine == theirs { report.equalChannels += 1 } else { report.unequalChannels.append(head.channel) }
        }
    }
}
