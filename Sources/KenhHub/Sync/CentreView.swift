import Foundation
import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// The centre's merged tables: a replica like any cell's that follows the log, and whose own edits go into it.
public final class CentreView: Sendable {
    public let store: Store
    private let hub: Hub
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
    /// - Returns: how many changes were merged.
    @discardableResult
    public func catchUp() throws -> Int {
        try running.withLock { _ in
            var changes = 0
            var more = true
            var hasStartedOver = false
            while more {
                let outbox = try store.outbox(as: identity, limitBytes: Self.batchBytes)
                let response: WireSyncResponse
                do { response = try hub.sync(request(outbox), from: device) } catch let error as HubError
                    where error.code == .logMismatch && !hasStartedOver
                {
                    // The log was restored from an older copy: it gets back what the tables were made of.
                    hasStartedOver = true
                    try store.forgetAcknowledgements()
                    continue
                }
                try refuseSilence(response.receipts)
                changes += try take(response)
                more = response.more || outbox.hasMore
            }
            try publish()
            return changes
        }
    }

    private func request(_ outbox: Store.Outbox) -> WireSyncRequest {
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(identity.replica.bytes)
        request.cursors = outbox.cursors.map(\.wire)
        request.blocks = outbox.blocks.map(\.wire)
        request.downLimitBytes = UInt32(Self.batchBytes)
        return request
    }

    private func refuseSilence(_ receipts: [WireReceipt]) throws {
        for receipt in receipts where receipt.verdict == .invalid || receipt.verdict == .heldBack {
            throw ProtocolError(.brokenLink, "the log refused the centre's own block: \(receipt.message)")
        }
    }

    private func take(_ response: WireSyncResponse) throws -> Int {
        guard !response.entries.isEmpty else { return 0 }
        var follower = LogFollower(
            servingKey: hub.identity.servingKey.publicKey, organisation: hub.identity.organisation,
            cursors: try store.cursors(), knownKey: { [store] in try store.deviceKey(of: $0) })
        let delivery = try follower.follow(response.entries, epoch: Array(response.epoch))
        try follower.agree(with: response.heads)
        return try store.take(delivery, as: identity).changes
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
