import Foundation
import KenhCell
import KenhMerge
import KenhProtocol

/// A line between a cell and its centre that loses, repeats, reorders, delays, cuts and spoils what it carries, as a
/// seed says. Whatever was cut or spoiled has to be refused by the side that gets it; where it is not, that is kept as
/// a ``violations`` text.
public final class FaultyLink: SyncLink {
    /// Old requests that may come again.
    private static let memory = 12
    /// A request or an answer takes no longer.
    private static let delayLimitMilliseconds = 90_000

    private let world: ManualClock
    private let answer: (Parcel) throws -> Parcel
    private var old: [Parcel] = []
    private var lastResponse: Parcel?

    /// In how many of 100 exchanges each fault strikes.
    public var percent = 0
    public var random = SeededGenerator(seed: 0)
    public private(set) var tally = FaultTally()
    public private(set) var violations: [String] = []
    /// Whether the last answer carried a spoiled block, which its receiver must not take.
    public private(set) var hasSpoiledAnswer = false
    /// Whether a block was spoiled on its way since this was last set to false.
    public var hasSpoiledBlock = false

    /// - Parameter answer: the centre, which opens the parcel itself.
    public init(world: ManualClock, answer: @escaping (Parcel) throws -> Parcel) {
        self.world = world
        self.answer = answer
    }

    public func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
        hasSpoiledAnswer = false
        let parcel = Parcel(try WireCoding.encode(request), nonce: random.next())
        let response = try carry(parcel) { try deliver(parcel, request) }
        var message = try WireCoding.decode(WireSyncResponse.self, from: try response.opened(for: parcel.nonce))
        spoilEntry(&message)
        return message
    }

    public func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
        let parcel = Parcel(try WireCoding.encode(request), nonce: random.next(), route: .reconcile)
        let response = try carry(parcel) {
            try damage(parcel)
            return try answer(parcel)
        }
        return try WireCoding.decode(WireReconcileResponse.self, from: try response.opened(for: parcel.nonce))
    }

    /// There and back, with whatever happens on the way.
    private func carry(_ parcel: Parcel, _ deliver: () throws -> Parcel) throws -> Parcel {
        remember(parcel)
        pause()
        if strikes(.oldRequest) { replayOld() }
        if strikes(.requestLost) { throw Self.silence }
        let response = try deliver()
        if strikes(.requestTwice) { _ = try? answer(parcel) }
        pause()
        if strikes(.responseLost) { throw Self.silence }
        return try received(response, nonce: parcel.nonce)
    }

    /// An old request comes once more, long after its answer.
    /// - Returns: whether there was one.
    @discardableResult
    public func replayOld() -> Bool {
        guard let parcel = random.pick(old) else { return false }
        _ = try? answer(parcel)
        return true
    }

    private func remember(_ parcel: Parcel) {
        old.append(parcel)
        if old.count > Self.memory { old.removeFirst() }
    }

    private func strikes(_ kind: FaultKind) -> Bool {
        guard random.chance(percent: percent) else { return false }
        tally.add(kind)
        return true
    }

    private func pause() {
        world.advance(milliseconds: Int64(random.below(50)))
        if strikes(.delay) { world.advance(milliseconds: Int64(random.below(Self.delayLimitMilliseconds))) }
    }

    // MARK: there

    private func deliver(_ parcel: Parcel, _ request: WireSyncRequest) throws -> Parcel {
        try damage(parcel)
        if random.chance(percent: percent), let spoiled = spoiled(request) {
            return try deliver(spoiled.request, spoiledAt: spoiled.block, nonce: parcel.nonce)
        }
        return try answer(parcel)
    }

    private func damage(_ parcel: Parcel) throws {
        if strikes(.requestCut) { try deliverDamaged(parcel) { $0.cut(using: &random) } }
        if strikes(.requestFlipped) { try deliverDamaged(parcel) { $0.flip(using: &random) } }
    }

    private func deliverDamaged(_ parcel: Parcel, _ damage: (inout Parcel) -> Void) throws {
        var parcel = parcel
        damage(&parcel)
        _ = try answer(parcel)
        violations.append("the centre answered a request that had been damaged on the way")
    }

    /// The request with one bit of one block turned over and everything around it in order.
    private func spoiled(_ request: WireSyncRequest) -> (request: WireSyncRequest, block: Int)? {
        guard !request.blocks.isEmpty else { return nil }
        var request = request
        let block = random.below(request.blocks.count)
        Self.spoil(&request.blocks[block], using: &random)
        return (request, block)
    }

    static func spoil(_ block: inout WireBlock, using random: inout SeededGenerator) {
        switch random.below(3) {
        case 0: flip(&block.header, using: &random)
        case 1: flip(&block.body, using: &random)
        default: flip(&block.deviceSignature, using: &random)
        }
    }

    private static func flip(_ data: inout Data, using random: inout SeededGenerator) {
        guard !data.isEmpty else { return }
        data[data.startIndex + random.below(data.count)] ^= 1 << UInt8(random.below(8))
    }

    private func deliver(_ request: WireSyncRequest, spoiledAt block: Int, nonce: UInt64) throws -> Parcel {
        tally.add(.blockSpoiled)
        hasSpoiledBlock = true
        let response = try answer(Parcel(try WireCoding.encode(request), nonce: nonce))
        let receipts = try WireCoding.decode(WireSyncResponse.self, from: response.body).receipts
        // The name of a block is that of its header: where the centre has it, another signature changes nothing.
        if block < receipts.count, ![.invalid, .alreadyHad].contains(receipts[block].verdict) {
            violations.append("the centre said \(receipts[block].verdict) to a spoiled block")
        }
        return response
    }

    // MARK: and back

    private func received(_ response: Parcel, nonce: UInt64) throws -> Parcel {
        defer { lastResponse = response }
        if strikes(.responseCut) { try refuse(response, nonce) { $0.cut(using: &random) } }
        if strikes(.responseFlipped) { try refuse(response, nonce) { $0.flip(using: &random) } }
        if let lastResponse, strikes(.oldResponse) { try refuse(lastResponse, nonce) { _ in } }
        return response
    }

    private func refuse(_ response: Parcel, _ nonce: UInt64, _ damage: (inout Parcel) -> Void) throws {
        var response = response
        damage(&response)
        do { _ = try response.opened(for: nonce) } catch {
            throw CellError(.notTheCentre, "the answer was changed on the way: \(error.message)", recovery: .retry)
        }
        violations.append("an answer that had been damaged on the way was believed")
    }

    private func spoilEntry(_ response: inout WireSyncResponse) {
        let blocks = response.entries.indices.filter { response.entries[$0].hasBlock }
        guard random.chance(percent: percent), let entry = random.pick(blocks) else { return }
        tally.add(.entrySpoiled)
        hasSpoiledAnswer = true
        Self.spoil(&response.entries[entry].block, using: &random)
    }

    private static let silence = CellError(.unreachable, "no answer came", recovery: .retry)
}
