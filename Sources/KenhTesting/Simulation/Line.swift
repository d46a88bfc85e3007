import Foundation
import KenhMerge
import KenhProtocol

/// A line between a cell and its centre that loses, repeats, reorders, delays, cuts and spoils what it carries, as a
/// seed says. Whatever was cut or spoiled has to be refused by the side that gets it.
struct Line {
    /// Old requests that may come again.
    private static let memory = 12
    /// A request or an answer takes no longer; some are later than anybody waits.
    private static let delayLimitMilliseconds = 90_000

    let cell: Int
    private var old: [SimulationEvent.Sending] = []
    private var lastResponse: Parcel?
    private var sentCount = 0
    private var arrivedCount = 0

    /// In how many of 100 exchanges each fault strikes.
    var percent = 0
    var random = SeededGenerator(seed: 0)
    private(set) var tally = FaultTally()
    /// Nothing passes until then.
    var isPartedUntil: Int64 = 0
    /// Requests arrive and answers do not until then.
    var isHalfOpenUntil: Int64 = 0
    /// Whether the last answer carried a spoiled block, which its receiver must not take.
    private(set) var hasSpoiledAnswer = false
    /// Whether a block was spoiled on its way since this was last set to false.
    var hasSpoiledBlock = false

    init(cell: Int) { self.cell = cell }

    private mutating func strikes(_ kind: FaultKind) -> Bool {
        guard random.chance(percent: percent) else { return false }
        tally.add(kind)
        return true
    }

    private mutating func latency() -> Int64 {
        let normal = Int64(1 + random.below(50))
        return strikes(.delay) ? normal + Int64(random.below(Self.delayLimitMilliseconds)) : normal
    }

    typealias Arrival = (after: Int64, event: SimulationEvent)

    // MARK: there

    /// - Parameter request: what is in the parcel, where blocks in it may be spoiled.
    /// - Returns: what comes of a request that is sent now.
    mutating func send(_ parcel: Parcel, _ request: WireSyncRequest?, now: Int64) throws -> [Arrival] {
        hasSpoiledAnswer = false
        sentCount += 1
        let sending = SimulationEvent.Sending(cell: cell, parcel: parcel, number: sentCount)
        var arrivals: [Arrival] = []
        if strikes(.oldRequest), let old = again() { arrivals.append((latency(), .request(old))) }
        remember(sending)
        if now < isPartedUntil {
            tally.add(.partition)
            return arrivals
        }
        if strikes(.requestLost) { return arrivals }
        arrivals.append((latency(), .request(try damaged(sending, request))))
        if strikes(.requestTwice) {
            var twice = sending
            twice.isRepeated = true
            arrivals.append((latency(), .request(twice)))
        }
        return arrivals
    }

    /// A request that was sent long ago.
    mutating func again() -> SimulationEvent.Sending? {
        guard var sending = random.pick(old) else { return nil }
        sending.isRepeated = true
        return sending
    }

    private mutating func remember(_ sending: SimulationEvent.Sending) {
        old.append(sending)
        if old.count > Self.memory { old.removeFirst() }
    }

    private mutating func damaged(
        _ sending: SimulationEvent.Sending, _ request: WireSyncRequest?
    ) throws -> SimulationEvent.Sending {
        var parcel = sending.parcel
        if strikes(.requestCut) {
            parcel.cut(using: &random)
        } else if strikes(.requestFlipped) {
            parcel.flip(using: &random)
        } else if random.chance(percent: percent), let request, !request.blocks.isEmpty {
            return try spoiled(sending, request)
        } else {
            return sending
        }
        return .init(cell: cell, parcel: parcel, number: sending.number, damage: .damaged)
    }

    /// The request with one bit of one block turned over and everything around it in order.
    private mutating func spoiled(
        _ sending: SimulationEvent.Sending, _ request: WireSyncRequest
    ) throws -> SimulationEvent.Sending {
        var request = request
        let block = random.below(request.blocks.count)
        Self.spoil(&request.blocks[block], using: &random)
        tally.add(.blockSpoiled)
        hasSpoiledBlock = true
        let parcel = Parcel(try WireCoding.encode(request), nonce: sending.parcel.nonce)
        return .init(cell: cell, parcel: parcel, number: sending.number, spoiledBlock: block)
    }

    private static func spoil(_ block: inout WireBlock, using random: inout SeededGenerator) {
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

    // MARK: and back

    /// - Returns: how the answer to a request that has arrived comes back, if it does.
    mutating func answer(_ response: Parcel, to sending: SimulationEvent.Sending, now: Int64) -> Arrival? {
        if sending.number < arrivedCount { tally.add(.overtaken) }
        arrivedCount = max(arrivedCount, sending.number)
        guard !sending.isRepeated else { return nil }
        let previous = lastResponse
        lastResponse = response
        if now < isHalfOpenUntil || now < isPartedUntil {
            tally.add(now < isHalfOpenUntil ? .halfOpen : .partition)
            return nil
        }
        if strikes(.responseLost) { return nil }
        var (response, damage) = (response, SimulationEvent.Damage.none)
        if strikes(.responseCut) {
            response.cut(using: &random)
            damage = .damaged
        } else if strikes(.responseFlipped) {
            response.flip(using: &random)
            damage = .damaged
        } else if let previous, strikes(.oldResponse) {
            (response, damage) = (previous, .old)
        }
        return (latency(), .answer(response, cell: cell, connection: sending.parcel.nonce, damage: damage))
    }

    mutating func cameTooLate() { tally.add(.lateResponse) }

    /// The answer as the cell sees it, which a faulty centre or disk might spoil without breaking the line's own digest.
    mutating func received(_ body: [UInt8]) throws -> WireSyncResponse {
        var message = try WireCoding.decode(WireSyncResponse.self, from: body)
        let blocks = message.entries.indices.filter { message.entries[$0].hasBlock }
        guard random.chance(percent: percent), let entry = random.pick(blocks) else { return message }
        tally.add(.entrySpoiled)
        hasSpoiledAnswer = true
        Self.spoil(&message.entries[entry].block, using: &random)
        return message
    }
}
