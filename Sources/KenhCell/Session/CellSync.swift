import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Where requests go: the network in a cell, a function call or a faulty line in a simulation.
public protocol SyncLink {
    func sync(_ request: WireSyncRequest) throws -> WireSyncResponse
    func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse
    /// Whether snapshots can be asked for.
    var takesSnapshots: Bool { get }
    /// - Throws: ``CellError`` with code `refused` where there is none.
    func snapshot(of channel: String) throws -> WireSnapshotResponse
    /// As it travels, one zstd frame.
    func snapshotChunk(_ hash: Hash256, in channel: String) throws -> [UInt8]
}

extension SyncLink {
    public var takesSnapshots: Bool { false }

    public func snapshot(of channel: String) throws -> WireSnapshotResponse {
        throw CellError(.refused, "there are no snapshots here", recovery: .stop)
    }

    public func snapshotChunk(_ hash: Hash256, in channel: String) throws -> [UInt8] {
        throw CellError(.refused, "there are no snapshots here", recovery: .stop)
    }
}

/// The network, as the cell's link to its centre.
public struct CentreLink: SyncLink, Sendable {
    let client: CentreClient
    let centre: PublicKey
    public var takesSnapshots: Bool { true }

    public init(client: CentreClient, centre: PublicKey) {
        self.client = client
        self.centre = centre
    }

    public func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
        try client.sync(request, centre: centre)
    }

    public func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
        try client.reconcile(request, centre: centre)
    }
}

/// Performs a session's effects on a store and a link, on the calling thread.
public struct CellSync {
    private let store: Store
    private let identity: StoreIdentity
    private var centre: ServingKeys
    private var link: any SyncLink
    private let clock: () -> Int64
    public var options = SyncSession.Options()
    /// Told which channel's snapshot is fetched, and how many of how many chunks of it are here.
    public var snapshotProgress: ((String, Int, Int) -> Void)?
    /// Told after each round.
    public var progress: ((SyncReport) -> Void)?
    /// Where to make snapshots again that the log names, after each sync; nil to make none.
    public var confirmationFolder: String?
    /// Asked where something is not signed by a key that is known: looks whether the centre was given another one.
    /// Returns nil where it was not.
    public var renew: (() throws -> (keys: ServingKeys, link: any SyncLink)?)?

    /// - Parameter centre: the keys whose log entries and registry statements count.
    public init(
        store: Store, identity: StoreIdentity, centre: ServingKeys, link: any SyncLink,
        clock: @escaping () -> Int64 = Store.wallClock
    ) {
        self.store = store
        self.identity = identity
        self.centre = centre
        self.link = link
        self.clock = clock
    }

    /// Syncs until both sides have everything.
    ///
    /// - Throws: ``CellError``, `StoreError`, `ProtocolError`.
    public func run() throws -> SyncReport {
        do { return try runOnce() } catch  where Self.mayBeOfAnotherKey(error) {
            guard let (keys, link) = try renew?() else { throw error }
            var again = self
            (again.centre, again.link, again.renew) = (keys, link, nil)
            return try again.runOnce()
        }
    }

    private static func mayBeOfAnotherKey(_ error: any Error) -> Bool {
        switch error {
        case let error as CellError: error.code == .notTheCentre
        case let error as ProtocolError: error.code == .badSignature
        default: false
        }
    }

    private func runOnce() throws -> SyncReport {
        var options = options
        options.takesSnapshots = link.takesSnapshots
        var session = SyncSession(options: options)
        var round = Round()
        var effects = session.handle(.started)
        while !effects.isEmpty {
            let effect = effects.removeFirst()
            switch effect {
            case .finished(var report):
                report.confirmedSnapshots = try confirmSnapshots()
                return report
            case .failed(let error): throw try reported(error)
            default: break
            }
            let event: SyncSession.Event?
            do { event = try perform(effect, &round) } catch { event = .failed(error) }
            guard let event else { continue }
            // What was to follow the failed effect does not.
            if case .failed = event { effects = [] }
            effects += session.handle(event)
            if case .taken = event { progress?(session.report) }
        }
        throw CellError(.refused, "the sync ended without a result; try again", recovery: .retry)
    }

    private var fetch: SnapshotFetch {
        SnapshotFetch(store: store, organisation: identity.organisation, centre: centre, link: link)
    }

    /// Makes the snapshots again that the log names and nobody here has looked at yet. The centre is told at the next
    /// sync; that one cannot be looked at is no fault of this one.
    ///
    /// - Returns: how many were the same.
    private func confirmSnapshots() throws -> Int {
        guard let confirmationFolder else { return 0 }
        var same = 0
        for (hash, channel) in try store.snapshotsToConfirm() {
            guard let manifest = try? fetch.offered(channel)?.manifest, manifest.hash == hash else {
                try store.skipSnapshot(hash)
                continue
            }
            if try store.confirm(manifest, in: confirmationFolder) == true { same += 1 }
        }
        return same
    }

    /// What an answer has to be compared with.
    private struct Round {
        /// As they were sent: another process may have moved the store's own meanwhile.
        var cursors: [ChannelCursor] = []
        var checkpoint: KeptCheckpoint?
        var bases: [String: UInt64] = [:]
        var response = WireSyncResponse()
    }

    private func perform(_ effect: SyncSession.Effect, _ round: inout Round) throws -> SyncSession.Event? {
        switch effect {
        case .readOutbox(let limit):
            let outbox = try store.outbox(as: identity, limitBytes: limit)
            (round.cursors, round.checkpoint) = (outbox.cursors, outbox.checkpoint)
            round.bases = Dictionary(outbox.snapshots.bases.map { ($0.channel, $0.sequence) }) { $1 }
            return .outboxRead(outbox)
        case .send(let request):
            let sentAt = clock()
            let response = try link.sync(request)
            round.response = response
            try store.told(request.confirmed.compactMap { Hash256(bytes: $0) })
            return .answered(response, sentAt: sentAt, receivedAt: clock())
        case .setClockOffset(let milliseconds):
            if try store.fact("clock_offset") != .integer(milliseconds) {
                try store.setClockOffset(milliseconds: milliseconds)
            }
            return nil
        case .take(let receipts, let entries, let epoch):
            return try take(receipts, entries, epoch, round)
        case .reconcile(.send(let request)): return .reconciled(.answered(try link.reconcile(request)))
        case .reconcile(let effect): return try store.perform(effect, as: identity).map { .reconciled($0) }
        case .fetchSnapshot(let channel):
            let cells = try fetch.run(channel) { snapshotProgress?(channel, $0, $1) }
            return .snapshotFetched(channel, confirmedBy: cells)
        case .abandonSnapshot(let channel, let reason):
            try store.abandonSnapshot(of: channel, because: reason, as: identity)
            return nil
        case .finished, .failed: return nil
        }
    }

    private func take(
        _ receipts: [WireReceipt], _ entries: [WireLogEntry], _ epoch: [UInt8], _ round: Round
    ) throws -> SyncSession.Event {
        var follower = LogFollower(
            serving: centre, organisation: identity.organisation, cursors: round.cursors, bases: round.bases,
            knownKey: { [store] in try store.deviceKey(of: $0) })
        var delivery = try follower.follow(entries, epoch: epoch)
        try follower.agree(with: round.response.heads)
        let tree = try TreeView(
            servingKey: centre.current, organisation: identity.organisation, known: round.checkpoint
        ).check(
            round.response, cursors: round.cursors, atMilliseconds: clock())
        tree.add(to: &delivery)
        delivery.items = try Self.acknowledged(receipts) + delivery.items
        let report = try store.take(delivery, as: identity)
        return .taken(report, digests: try store.settledDigests())
    }

    /// What the centre contradicted is kept as proof before anybody is told.
    private func reported(_ error: any Error) throws -> any Error {
        guard let contradiction = error as? TreeView.Contradiction else { return error }
        try store.keep(contradiction: contradiction.known, contradiction.shown)
        return CellError(
            .contradicted,
            "the centre's log is not the one that it had signed for before: it was rewritten; both signed checkpoints are "
                + "kept as proof (kenh audit checkpoints), tell the inspection committee", recovery: .askAPerson)
    }

    private static func acknowledged(_ receipts: [WireReceipt]) throws -> [Delivery.Item] {
        try receipts.compactMap { receipt in
            guard receipt.verdict == .accepted || receipt.verdict == .alreadyHad,
                let hash = Hash256(bytes: receipt.blockHash)
            else { return nil }
            let proof = try? EntryProof(receipt.proof)
            let acceptance =
                if let proof, proof.object == hash {
                    try Delivery.Acceptance(proof)
                } else {
                    Delivery.Acceptance(
                        sequence: receipt.sequence, acceptedAtMilliseconds: receipt.acceptedAtMs)
                }
            return Delivery.Item(hash: hash, block: nil, acceptance: acceptance)
        }
    }
}
