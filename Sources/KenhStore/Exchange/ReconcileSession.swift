import Foundation
import KenhMerge
import KenhProtocol

/// Makes a store and a centre whose log is not the one that the store followed go on from what they share, as a value:
/// events in, effects out.
///
/// It finds the newest common place of each channel, offers what the log had above it, sends what the centre lacks of
/// that, and then adopts the centre's epoch. Cut short anywhere, it begins anew and finds less to do.
public struct ReconcileSession: Sendable {
    public enum Event: Sendable {
        case started
        case recordRead(LogRecord)
        case offersRead([WireHandedBack])
        case blocksRead([WireHandedBack])
        case answered(WireReconcileResponse)
        case adopted
    }

    public enum Effect: Sendable {
        case readRecord
        case readOffers(above: [String: LogRecord.Place])
        case readBlocks([WireHandedBack], limitBytes: Int)
        case send(WireReconcileRequest)
        case adopt(Adoption)
        /// - Parameter handedBackBlocks: how many the centre lacked.
        case finished(handedBackBlocks: Int)
    }

    private enum Phase { case comparing, offering, handingBack }

    private static let offersPerRequest = 1000
    /// The centre may be restored once more while this goes on.
    private static let restartLimit = 3

    private let limitBytes: Int
    private var phase = Phase.comparing
    private var restarts = 0
    private var replica: ReplicaID?
    private var epoch: [UInt8] = []
    private var common: [String: LogRecord.Place] = [:]
    private var offers: ArraySlice<WireHandedBack> = []
    private var page: [WireHandedBack] = []
    private var wanted: [WireHandedBack] = []
    private var acceptances: [Hash256: Delivery.Acceptance] = [:]
    private var handedBackBlocks = 0

    /// - Parameter limitBytes: of blocks in one request.
    public init(limitBytes: Int) { self.limitBytes = limitBytes }

    public mutating func handle(_ event: Event) -> Effect {
        switch event {
        case .started: return .readRecord
        case .recordRead(let record): return compare(record)
        case .offersRead(let offers):
            self.offers = offers[...]
            return nextPage()
        case .blocksRead(let blocks): return handBack(blocks)
        case .answered(let response): return answered(response)
        case .adopted: return .finished(handedBackBlocks: handedBackBlocks)
        }
    }

    private func request() -> WireReconcileRequest {
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(replica?.bytes ?? [])
        return request
    }

    private mutating func compare(_ record: LogRecord) -> Effect {
        phase = .comparing
        replica = record.replica
        var request = request()
        request.places = record.channels.map(\.wire)
        request.handedBack = record.ownStatements.map(\.wire)
        request.checkpoint = record.checkpoint?.note ?? ""
        request.certificates = record.certificates
        return .send(request)
    }

    private mutating func answered(_ response: WireReconcileResponse) -> Effect {
        for receipt in response.receipts { note(receipt) }
        switch phase {
        case .comparing:
            epoch = Array(response.epoch)
            common = Self.places(response.common)
            return .readOffers(above: common)
        case .offering, .handingBack:
            guard response.epoch.elementsEqual(epoch) else { return restart() }
            if phase == .offering {
                let hashes = Set(response.wanted)
                wanted = page.filter { hashes.contains($0.proof.objectHash) }
            }
            return wanted.isEmpty ? nextPage() : .readBlocks(wanted, limitBytes: limitBytes)
        }
    }

    private mutating func restart() -> Effect {
        restarts += 1
        // Where the epoch never stays, what was taken over of the last one is put right by the next sync.
        return restarts <= Self.restartLimit ? .readRecord : adopt()
    }

    private static func places(_ common: [WireCommonPlace]) -> [String: LogRecord.Place] {
        var places: [String: LogRecord.Place] = [:]
        for place in common {
            guard place.sequence > 0, let hash = Hash256(bytes: place.logHash) else { continue }
            places[place.channel] = LogRecord.Place(sequence: place.sequence, logHash: hash)
        }
        return places
    }

    private mutating func note(_ receipt: WireReceipt) {
        guard receipt.verdict == .accepted || receipt.verdict == .alreadyHad,
            let hash = Hash256(bytes: receipt.blockHash), let proof = try? EntryProof(receipt.proof),
            let acceptance = try? Delivery.Acceptance(proof)
        else { return }
        acceptances[hash] = acceptance
        if receipt.verdict == .accepted { handedBackBlocks += 1 }
    }

    private mutating func nextPage() -> Effect {
        guard !offers.isEmpty else { return adopt() }
        phase = .offering
        page = nextOffers()
        offers = offers.dropFirst(page.count)
        var request = request()
        request.handedBack = page
        return .send(request)
    }

    /// Erasures and final deletions are whole already.
    private func nextOffers() -> [WireHandedBack] {
        var page: [WireHandedBack] = []
        var bytes = 0
        for offer in offers.prefix(Self.offersPerRequest) {
            bytes += offer.erasure.count + offer.finality.count
            if !page.isEmpty, bytes > limitBytes { break }
            page.append(offer)
        }
        return page
    }

    private mutating func handBack(_ blocks: [WireHandedBack]) -> Effect {
        // What is no longer here cannot be handed back.
        guard let last = blocks.last else {
            wanted = []
            return nextPage()
        }
        phase = .handingBack
        let end = wanted.firstIndex { $0.proof.objectHash == last.proof.objectHash } ?? wanted.count - 1
        wanted.removeFirst(end + 1)
        var request = request()
        request.handedBack = blocks
        return .send(request)
    }

    private func adopt() -> Effect {
        .adopt(
            Adoption(epoch: epoch, common: common, acceptances: acceptances, handedBackBlocks: handedBackBlocks))
    }
}

extension Store {
    /// Performs what a reconciliation asks of the store; nil for what is not the store's.
    public func perform(
        _ effect: ReconcileSession.Effect, as identity: StoreIdentity
    ) throws(StoreError) -> ReconcileSession.Event? {
        switch effect {
        case .readRecord: .recordRead(try logRecord(as: identity))
        case .readOffers(let common): .offersRead(try offers(above: common))
        case .readBlocks(let offers, let limit): .blocksRead(try handBack(offers, limitBytes: limit))
        case .adopt(let adoption): try adopted(adoption, identity)
        case .send, .finished: nil
        }
    }

    private func adopted(
        _ adoption: Adoption, _ identity: StoreIdentity
    ) throws(StoreError) -> ReconcileSession.Event {
        try adopt(adoption, as: identity)
        return .adopted
    }
}
