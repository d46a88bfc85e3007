import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// A line on which one side is of a later version: its messages have fields that the other does not know.
private struct LaterLink: SyncLink {
    enum Side { case cell, centre }

    let link: any SyncLink
    let later: Side
    /// What the later centre does to its entries.
    var change: (inout WireSyncResponse) -> Void = { _ in }

    /// Field 1999, of three bytes.
    private static let field: [UInt8] = [0xFA, 0x7C, 3, 1, 2, 3]

    func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
        var response = try link.sync(later == .cell ? Self.later(request) : request)
        guard later == .centre else { return response }
        change(&response)
        return try Self.later(response)
    }

    func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
        let request =
            try later == .cell
            ? WireCoding.decode(WireReconcileRequest.self, from: WireCoding.encode(request) + Self.field) : request
        let response = try link.reconcile(request)
        guard later == .centre else { return response }
        return try WireCoding.decode(WireReconcileResponse.self, from: WireCoding.encode(response) + Self.field)
    }

    private static func later(_ request: WireSyncRequest) throws -> WireSyncRequest {
        var request = request
        request.blocks = try request.blocks.map {
            try WireCoding.decode(WireBlock.self, from: WireCoding.encode($0) + field)
        }
        request.cursors = try request.cursors.map {
            try WireCoding.decode(WireCursor.self, from: WireCoding.encode($0) + field)
        }
        return try WireCoding.decode(WireSyncRequest.self, from: WireCoding.encode(request) + field)
    }

    private static func later(_ response: WireSyncResponse) throws -> WireSyncResponse {
        var response = response
        response.receipts = try response.receipts.map {
            var receipt = $0
            if receipt.hasProof {
                receipt.proof = try WireCoding.decode(
                    WireEntryProof.self, from: WireCoding.encode(receipt.proof) + field)
            }
            return try WireCoding.decode(WireReceipt.self, from: WireCoding.encode(receipt) + field)
        }
        response.entries = try response.entries.map {
            var entry = $0
            if entry.hasBlock {
                entry.block = try WireCoding.decode(WireBlock.self, from: WireCoding.encode(entry.block) + field)
            }
            return try WireCoding.decode(WireLogEntry.self, from: WireCoding.encode(entry) + field)
        }
        response.heads = try response.heads.map {
            try WireCoding.decode(WireChannelHead.self, from: WireCoding.encode($0) + field)
        }
        return try WireCoding.decode(WireSyncResponse.self, from: WireCoding.encode(response) + field)
    }
}

/// Protocol, section 15: what version 1 may become. What was recorded from older versions is in `Tests/Recorded`.
@Suite("A side of a later version") struct OtherVersionTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    init() throws { fixture = try HubFixture() }

    @Test("syncs with an older one, which passes over fields that it does not know", arguments: [true, false])
    func fields(_ isCentre: Bool) throws {
        let later: (any SyncLink) -> any SyncLink = { LaterLink(link: $0, later: isCentre ? .centre : .cell) }
        try a.insert("x", "một")
        try a.syncWhole(over: later)
        try b.update("x", "nothing yet")
        try b.syncWhole(over: later)
        #expect(try b.title("x") == .text("một"))
        try b.update("x", "hai")
        try b.syncWhole(over: later)
        let report = try a.syncWhole(over: later)
        #expect(report.unequalChannels == [] && report.refusals == [])
        #expect(try a.title("x") == .text("hai"))
        #expect(try a.store.settledDigests() == b.store.settledDigests())
    }

    @Test("goes on after its centre was put back, too", arguments: [true, false])
    func reconciles(_ isCentre: Bool) throws {
        let later: (any SyncLink) -> any SyncLink = { LaterLink(link: $0, later: isCentre ? .centre : .cell) }
        try fixture.backUpLog()
        try a.insert("x", "một")
        try a.syncWhole(over: later)
        try fixture.restoreLog()
        try a.syncWhole(over: later)
        try b.syncWhole(over: later)
        #expect(try b.title("x") == .text("một"))
    }

    @Test(
        "may have entries of a kind that an older cell does not know: it says that it needs a newer Kenh, and keeps what it has"
    )
    func kinds() throws {
        try a.insert("x", "một")
        try a.syncWhole()
        try b.syncWhole()
        try a.insert("y", "hai")
        try a.syncWhole()
        let before = (try b.store.cursors(), try b.store.settledDigests())
        let error = #expect(throws: ProtocolError.self) {
            try b.syncWhole(over: { link in
                LaterLink(link: link, later: .centre) { response in
                    for i in response.entries.indices where response.entries[i].hasBlock {
                        response.entries[i].kind = .UNRECOGNIZED(99)
                    }
                }
            })
        }
        #expect(error?.code == .unsupportedVersion)
        #expect(error?.message.contains("newer Kenh") == true)
        #expect(try b.store.cursors() == before.0 && b.store.settledDigests() == before.1)
        try b.syncWhole()
        #expect(try b.title("y") == .text("hai"))
    }
}
