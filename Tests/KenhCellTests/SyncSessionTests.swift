import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore
import Testing

@Suite("A sync session, event by event")
struct SyncSessionTests {
    private let replica = ReplicaID(high: 1, low: 2)

    private func started() -> SyncSession {
        var session = SyncSession()
        _ = session.handle(.started)
        _ = session.handle(.outboxRead(outbox(hasMore: false)))
        return session
    }

    private func outbox(hasMore: Bool) -> Store.Outbox {
        Store.Outbox(
            replica: replica, blocks: [],
            cursors: [ChannelCursor(channel: "org", epoch: [1], sequence: 7, logHash: Hash256(1, 2, 3, 4))],
            hasMore: hasMore)
    }

    private func response(more: Bool = false, time: Int64 = 1000, heads: [WireChannelHead] = []) -> WireSyncResponse {
        var response = WireSyncResponse()
        response.more = more
        response.timeMs = time
        response.heads = heads
        return response
    }

    private func head(_ channel: String, _ digest: Digest128) -> WireChannelHead {
        var head = WireChannelHead()
        head.channel = channel
        head.digest = Data(digest.bytes)
        return head
    }

    private func report(_ effects: [SyncSession.Effect]) -> SyncReport? {
        for case .finished(let report) in effects { return report }
        return nil
    }

    @Test("reads the outbox first, and sends what it holds with the place in every log")
    func beginning() throws {
        var session = SyncSession()
        guard case .readOutbox(let limit)? = session.handle(.started).first else {
            Issue.record("a session begins with the outbox")
            return
        }
        #expect(limit > 0)
        guard case .send(let request)? = session.handle(.outboxRead(outbox(hasMore: false))).first else {
            Issue.record("an outbox is sent")
            return
        }
        #expect(request.replica.elementsEqual(replica.bytes))
        #expect(request.cursors.map(\.sequence) == [7])
        #expect(request.protocol == Limits.protocolVersion)
    }

    @Test("goes on while either side has more, and ends when neither has")
    func rounds() {
        var session = SyncSession()
        _ = session.handle(.started)
        _ = session.handle(.outboxRead(outbox(hasMore: true)))
        _ = session.handle(.answered(response(), sentAt: 1000, receivedAt: 1000))
        guard case .readOutbox? = session.handle(.taken(DeliveryReport(), digests: [:])).first else {
            Issue.record("there is more to send")
            return
        }
        _ = session.handle(.outboxRead(outbox(hasMore: false)))
        _ = session.handle(.answered(response(more: true), sentAt: 1000, receivedAt: 1000))
        #expect(report(session.handle(.taken(DeliveryReport(), digests: [:]))) == nil)
        _ = session.handle(.outboxRead(outbox(hasMore: false)))
        _ = session.handle(.answered(response(), sentAt: 1000, receivedAt: 1000))
        #expect(report(session.handle(.taken(DeliveryReport(), digests: [:])))?.rounds == 3)
    }

    @Test("measures the clock against the middle of the exchange, and takes the network's noise for none")
    func clockOffset() {
        var session = started()
        let ahead = session.handle(.answered(response(time: 1_003_000), sentAt: 2_000_000, receivedAt: 2_006_000))
        guard case .setClockOffset(let offset)? = ahead.first else {
            Issue.record("the offset is set")
            return
        }
        #expect(offset == -1_000_000)
        session = started()
        guard
            case .setClockOffset(0)? = session.handle(.answered(response(time: 2500), sentAt: 1000, receivedAt: 1200))
                .first
        else {
            Issue.record("a second and a half is noise")
            return
        }
    }

    @Test("does not send a refused block again at once, and says why it was refused")
    func refusal() {
        var session = SyncSession()
        _ = session.handle(.started)
        _ = session.handle(.outboxRead(outbox(hasMore: true)))
        var refused = response()
        var receipt = WireReceipt()
        receipt.verdict = .invalid
        receipt.message = "the block belongs to another organisation"
        refused.receipts = [receipt]
        _ = session.handle(.answered(refused, sentAt: 1000, receivedAt: 1000))
        #expect(report(session.handle(.taken(DeliveryReport(), digests: [:])))?.refusals == [receipt.message])
    }

    @Test("compares digests where both sides have one, and names the channels that differ")
    func digests() {
        var session = started()
        let (same, other) = (Digest128(high: 1, low: 1), Digest128(high: 2, low: 2))
        let heads = [head("org", same), head("plan/KH1", same), head("cell/CB1", same)]
        _ = session.handle(.answered(response(heads: heads), sentAt: 1000, receivedAt: 1000))
        let digests = ["org": same, "plan/KH1": other]
        let report = report(session.handle(.taken(DeliveryReport(), digests: digests)))
        #expect(report?.equalChannels == 1)
        #expect(report?.unequalChannels == ["plan/KH1"])
    }
}
