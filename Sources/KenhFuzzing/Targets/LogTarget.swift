import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// Answers of a centre, or of somebody who stands before it: a log that was followed to its true end is the true
    /// log.
    static let log = FuzzTarget("log", seeds: { try LogFuzz.seeds() }) { bytes in
        var input = FuzzInput(bytes)
        var answer: WireSyncResponse
        if input.flag() {
            guard let decoded = try? WireCoding.decode(WireSyncResponse.self, from: input.rest()) else { return }
            answer = decoded
        } else {
            answer = HubWorld.shared.answer
            for _ in 0..<(1 + input.below(4)) { LogFuzz.change(&answer, &input) }
        }
        try LogFuzz.checkFollowing(answer)
        LogFuzz.reconcile(&input)
        try LogFuzz.checkSession(answer, &input)
    }
}

private enum LogFuzz {
    static func change(_ answer: inout WireSyncResponse, _ input: inout FuzzInput) {
        let at = input.below(max(answer.entries.count, 1))
        guard answer.entries.indices.contains(at) else { return }
        switch input.below(14) {
        case 0: answer.entries.remove(at: at)
        case 1: answer.entries.insert(answer.entries[at], at: input.below(answer.entries.count))
        case 2: answer.entries.swapAt(at, input.below(answer.entries.count))
        case 3: answer.entries[at].acceptedAtMs = input.number()
        case 4: answer.entries[at].sequence = UInt64(bitPattern: input.number())
        case 5: answer.entries[at].channel = input.pick(["org", "a", "kenh/registry", "kenh/x", ""])
        case 6: answer.entries[at].kind = WireEntryKind(rawValue: input.below(4)) ?? .block
        case 7: answer.entries[at].objectHash = Data(input.chunk())
        case 8: answer.entries[at].block = (input.pick(HubWorld.shared.blocks)).wire
        case 9: edit(&answer.entries[at].block.header, &input)
        case 10: edit(&answer.entries[at].registry.statement, &input)
        case 11: answer.epoch = Data(input.chunk())
        case 12: edit(&answer.entries[at].signature, &input)
        default: answer.entries[at].clearBlock()
        }
    }

    private static func edit(_ data: inout Data, _ input: inout FuzzInput) {
        guard !data.isEmpty else { return data = Data(input.chunk()) }
        data[data.startIndex + Int(input.byte()) % data.count] = input.byte()
    }

    /// Everything but what a signature does not cover and nobody reads: an entry's place among all channels.
    static func checkFollowing(_ answer: WireSyncResponse) throws {
        var follower = LogFollower(
            serving: ServingKeys(FuzzWorld.serving.publicKey), organisation: FuzzWorld.organisation, cursors: [],
            knownKey: { _ in nil })
        guard let delivery = try? follower.follow(answer.entries, epoch: Array(answer.epoch)),
            (try? follower.agree(with: HubWorld.shared.answer.heads)) != nil
        else { return }
        for cursor in delivery.cursors {
            let head = HubWorld.shared.answer.heads.first { $0.channel == cursor.channel }
            guard let head, head.sequence == cursor.sequence else { continue }
            let mine = delivery.items.filter { trueEntry($0)?.channel == cursor.channel }
            let real = HubWorld.shared.answer.entries.filter { $0.channel == cursor.channel && $0.kind == .block }
            try require(
                mine.map { Data($0.hash.bytes) } == real.map(\.objectHash),
                "a log with other blocks passes for the true one")
            try require(
                mine.compactMap { $0.acceptance?.acceptedAtMilliseconds } == real.map(\.acceptedAtMs),
                "a log with other times passes for the true one")
        }
    }

    /// A session after a restore is told anything.
    static func reconcile(_ input: inout FuzzInput) {
        var session = ReconcileSession(limitBytes: 1000)
        _ = session.handle(.started)
        _ = session.handle(
            .recordRead(LogRecord(replica: FuzzWorld.replicas[2], channels: [], ownStatements: [])))
        for _ in 0..<input.below(6) {
            switch input.below(3) {
            case 0:
                var response = WireReconcileResponse()
                response.epoch = Data(input.take(input.flag() ? 16 : 2))
                response.receipts = [receipt(&input)]
                response.wanted = [Data(HubWorld.shared.blocks[0].hash.bytes), Data(input.chunk())]
                _ = session.handle(.answered(response))
            case 1: _ = session.handle(.offersRead(handedBack(&input)))
            default: _ = session.handle(.blocksRead(handedBack(&input)))
            }
        }
    }

    private static func handedBack(_ input: inout FuzzInput) -> [WireHandedBack] {
        (0..<input.below(3)).map { _ in
            var item = WireHandedBack()
            item.proof.objectHash = Data(HubWorld.shared.blocks[input.below(4)].hash.bytes)
            item.proof.sequence = UInt64(bitPattern: input.number())
            if input.flag() { item.block = HubWorld.shared.blocks[input.below(4)].wire }
            return item
        }
    }

    private static func trueEntry(_ item: Delivery.Item) -> WireLogEntry? {
        HubWorld.shared.answer.entries.first { $0.objectHash.elementsEqual(item.hash.bytes) }
    }

    /// The session and a store take the answer in, or say why not.
    static func checkSession(_ answer: WireSyncResponse, _ input: inout FuzzInput) throws {
        var answer = answer
        if input.flag() { answer.timeMs = input.number() }
        if input.flag() { answer.receipts = [receipt(&input), receipt(&input)] }
        var session = SyncSession()
        _ = session.handle(.started)
        _ = session.handle(
            .outboxRead(
                .init(
                    replica: FuzzWorld.replicas[2], blocks: [], cursors: [], receipts: [], hasMore: input.flag())))
        let receivedAt = FuzzWorld.now + Int64(input.byte())
        let effects = session.handle(.answered(answer, sentAt: FuzzWorld.now, receivedAt: receivedAt))
        for case .take(_, let entries, let epoch) in effects {
            var follower = LogFollower(
                serving: ServingKeys(FuzzWorld.serving.publicKey), organisation: FuzzWorld.organisation, cursors: [],
                knownKey: { _ in nil })
            guard let delivery = try? follower.follow(entries, epoch: epoch) else { continue }
            _ = session.handle(.taken(DeliveryReport(), digests: ["org": .zero]))
            guard input.flag() else { continue }
            let folder = try ScratchFolder()
            let store = try FuzzWorld.openStore(folder.path("kenh.db"))
            _ = try? store.take(delivery, as: FuzzWorld.identity(2))
        }
    }

    private static func receipt(_ input: inout FuzzInput) -> WireReceipt {
        var receipt = WireReceipt()
        receipt.verdict = WireVerdict(rawValue: input.below(6)) ?? .accepted
        receipt.blockHash = input.flag() ? Data(HubWorld.shared.blocks[0].hash.bytes) : Data(input.chunk())
        receipt.acceptedAtMs = input.number()
        receipt.sequence = UInt64(bitPattern: input.number())
        return receipt
    }

    static func seeds() throws -> [[UInt8]] {
        [
            [1] + (try WireCoding.encode(HubWorld.shared.answer)), [0, 0, 0, 11], [0, 1, 3, 3, 9, 4, 5, 1, 1, 0xf1],
            [0, 0, 8, 11, 1, 0xf1, 1, 0, 1, 1, 9, 9, 0, 1, 0xf1, 1, 1, 1],
        ]
    }
}
