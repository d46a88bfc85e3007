import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// The centre's merged tables: a replica like any cell's that follows the log, and whose own edits go into it.
public final class CentreView: Sendable {
    public let store: Store
    let hub: Hub
    private let identity: StoreIdentity
    private let running = Mutex(())

    /// Entries of the log that are merged in one transaction, by their bytes.
    private static let batchBytes = 8 << 20

    public init(store: Store, hub: Hub, identity: StoreIdentity) throws {
        self.store = store
        self.hub = hub
        self.identity = identity
        try hub.log.write { transaction in
            let device = RegisteredDevice(key: identity.key.publicKey, cell: "", name: "centre")
            try hub.addDevice(device, countersignature: [], transaction)
            try hub.addReplica(identity.replica, of: identity.key.publicKey, transaction)
        }
    }

    private var device: RegisteredDevice { RegisteredDevice(key: identity.key.publicKey, cell: "", name: "centre") }

    /// Sends the centre's own edits into the log and merges what is new there, until nothing is left to do.
    ///
    /// Tables that are newer than the log, since that was restored from an older copy, give back what it lacks; tables
    /// that are older than the log get back what they lack.
    /// - Returns: how many changes were merged.
    @discardableResult
    public func catchUp() throws -> Int {
        try running.withLock { _ in
            var withOwnBlocks = false
            var attempts = 0
            while true {
                do {
                    var (changes, owes) = try follow(withOwnBlocks: withOwnBlocks)
                    if owes {
                        try reconcile()
                        changes += try follow(withOwnBlocks: withOwnBlocks).changes
                    }
                    try publish()
                    _ = try hub.cleanLogIfPossible()
                    return changes
                } catch let error as StoreError where error.recovery == .resync && !withOwnBlocks {
                    withOwnBlocks = true
                } catch  where Self.asksToReconcile(error) && attempts < Self.attemptLimit {
                    attempts += 1
                    try reconcile()
                }
            }
        }
    }

    private static let attemptLimit = 3

    private static func asksToReconcile(_ error: any Error) -> Bool {
        switch error {
        case let error as HubError: error.code == .logMismatch
        case let error as ProtocolError: error.recovery == .resync
        case is TreeView.Contradiction: true
        default: false
        }
    }

    /// - Returns: whether the log has to be told of earlier acceptances, besides.
    private func follow(withOwnBlocks: Bool) throws -> (changes: Int, owes: Bool) {
        var (changes, owes) = (0, false)
        var more = true
        while more {
            let outbox = try store.outbox(as: identity, limitBytes: Self.batchBytes)
            let response = try hub.sync(request(outbox, withOwnBlocks: withOwnBlocks), from: device)
            try refuseSilence(response.receipts)
            more = response.more || outbox.hasMore
            if let report = try take(response, outbox) {
                changes += report.changes
                owes = report.owesAcceptances
                // Once more, so that the log knows of it.
                more = more || report.erasures > 0
            }
        }
        return (changes, owes)
    }

    private func reconcile() throws {
        var session = ReconcileSession(limitBytes: Self.batchBytes)
        var effect = session.handle(.started)
        while true {
            switch effect {
            case .finished: return
            case .send(let request): effect = session.handle(.answered(try hub.reconcile(request, from: device.key)))
            default:
                guard let event = try store.perform(effect, as: identity) else { return }
                effect = session.handle(event)
            }
        }
    }

    private func request(_ outbox: Store.Outbox, withOwnBlocks: Bool) -> WireSyncRequest {
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(outbox.replica.bytes)
        request.cursors = outbox.cursors.map(\.wire)
        request.receipts = outbox.receipts.map(\.wire)
        request.blocks = outbox.blocks.map(\.wire)
        request.treeSize = outbox.checkpoint?.checkpoint.size ?? 0
        request.downLimitBytes = UInt32(Self.batchBytes)
        request.withOwnBlocks = withOwnBlocks
        request.erasuresPending = outbox.hasErasuresPending
        return request
    }

    private func refuseSilence(_ receipts: [WireReceipt]) throws {
        for receipt in receipts where receipt.verdict != .accepted && receipt.verdict != .alreadyHad {
            throw ProtocolError(
                .brokenLink, "the log refused the centre's own block: \(receipt.message)",
                recovery: receipt.verdict == .heldBack ? .resync : .stop)
        }
    }

    private func take(_ response: WireSyncResponse, _ outbox: Store.Outbox) throws -> DeliveryReport? {
        guard !response.entries.isEmpty else { return nil }
        let cursors = outbox.cursors
        var follower = LogFollower(
            serving: try hub.log.read { try hub.servingKeys($0) }, organisation: hub.identity.organisation,
            cursors: cursors, knownKey: { [store] in try store.deviceKey(of: $0) })
        var delivery = try follower.follow(response.entries, epoch: Array(response.epoch))
        try follower.agree(with: response.heads)
        // Where the log is older than the tables, they give back what it lacks: one life of it is not another's lie.
        let tree = try TreeView(
            servingKey: hub.identity.servingKey.publicKey, organisation: hub.identity.organisation,
            known: outbox.checkpoint
        ).check(response, cursors: cursors, atMilliseconds: hub.now())
        tree.add(to: &delivery)
        return try store.take(delivery, as: identity)
    }

    private func publish() throws {
        let digests = try store.settledDigests()
        var merged: [String: Hub.MergedChannel] = [:]
        for cursor in try store.cursors() {
            guard let digest = digests[cursor.channel] else { continue }
            merged[cursor.channel] = .init(sequence: cursor.sequence, digest: digest)
        }
        hub.setMerged(merged)
    }
}
