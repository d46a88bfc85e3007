import KenhHub
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite("An acknowledgement") struct AcknowledgementTests {
    private let fixture: HubFixture
    private let log: FaultyLog
    private let hub: Hub

    init() throws {
        fixture = try HubFixture(["A"])
        log = FaultyLog(fixture.log)
        let clock = fixture.clock
        hub = Hub(log: log, identity: fixture.hub.identity, clock: { clock.milliseconds })
    }

    @Test("is not given for what was not committed", arguments: FaultyLog.Fault.allCases)
    func uncommitted(_ fault: FaultyLog.Fault) throws {
        let device = fixture["A"]
        let blocks = try device.chain(2)
        log.fail(fault)
        #expect(throws: StoreError.self) { try hub.sync(device.request(blocks), from: device.registered) }
        #expect(try fixture.blockCount == (fault == .unknown ? 2 : 0))
        let receipts = try hub.sync(device.request(blocks), from: device.registered).receipts
        #expect(receipts.map(\.verdict) == (fault == .unknown ? [.alreadyHad, .alreadyHad] : [.accepted, .accepted]))
        #expect(try fixture.blockCount == 2)
    }
}
