import Foundation
import HTTPTypes
import HummingbirdTesting
import KenhHub
import KenhMerge
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

@Suite("POST /v1/sync")
struct SyncRouteTests {
    private let centre: Centre
    private let device: Device

    init() throws {
        centre = try Centre()
        device = try centre.joined(5)
    }

    private func send(_ request: WireSyncRequest, from device: Device) async throws -> WireSyncResponse {
        let message = try device.syncMessage(request)
        let response = try await centre.serve { try await $0.send(message) }
        #expect(response.status == .ok)
        return try WireCoding.decode(WireSyncResponse.self, from: try centre.open(response, to: message))
    }

    @Test("takes blocks with a receipt each, and gives them to another device, with the registry first")
    func exchange() async throws {
        let blocks = [try device.seal("Một"), try device.seal("Hai")]
        let sent = try await send(device.sync(blocks), from: device)
        #expect(sent.receipts.map(\.verdict) == [.accepted, .accepted])
        #expect(sent.receipts.map(\.sequence) == [1, 2])
        #expect(sent.receipts.map(\.blockHash) == blocks.map { Data($0.hash.bytes) })
        #expect(sent.timeMs == Centre.start && !sent.more)
        #expect(centre.appends.withLock { $0 } == 1)
        let reader = try centre.joined(6)
        let got = try await send(reader.sync(), from: reader)
        #expect(got.entries.filter(\.hasBlock).map(\.block) == blocks.map(\.wire))
        let kinds = got.entries.map(\.kind)
        #expect(kinds == kinds.sorted { $0 == .registry && $1 != .registry })
        #expect(got.heads.first { $0.channel == "plan/KH1" }?.sequence == 2)
    }

    @Test("gives the same receipts again for the same blocks, and logs them once")
    func repetition() async throws {
        let block = try device.seal("Một")
        let first = try await send(device.sync([block]), from: device)
        let second = try await send(device.sync([block, block]), from: device)
        #expect(second.receipts.map(\.verdict) == [.alreadyHad, .alreadyHad])
        #expect(second.receipts.map(\.sequence) == [1, 1] && first.heads == second.heads)
    }

    @Test("refuses a block with any byte changed, and logs nothing of it")
    func tampered() async throws {
        var random = SeededGenerator(seed: 12)
        let good = try device.seal("Một").wire
        for _ in 0..<60 {
            var block = good
            let bit = UInt8(1) << UInt8(random.below(8))
            switch random.below(4) {
            case 0: block.header[random.below(block.header.count)] ^= bit
            case 1: block.body[random.below(block.body.count)] ^= bit
            case 2: block.deviceSignature[random.below(64)] ^= bit
            default: block.detached = Data([bit])
            }
            var request = device.sync()
            request.blocks = [block]
            let answer = try await send(request, from: device)
            #expect(answer.receipts.map(\.verdict) == [.invalid], "\(block)")
            #expect(answer.receipts.allSatisfy { !$0.code.isEmpty && !$0.message.isEmpty })
            #expect(!answer.heads.contains { $0.channel == "plan/KH1" })
        }
        var request = device.sync()
        request.blocks = [good]
        #expect(try await send(request, from: device).receipts.map(\.verdict) == [.accepted])
    }

    @Test("holds back a block whose predecessor is not here")
    func gap() async throws {
        let (first, second) = (try device.seal("Một"), try device.seal("Hai"))
        let early = try await send(device.sync([second]), from: device)
        #expect(early.receipts.map(\.verdict) == [.heldBack])
        #expect(!early.heads.contains { $0.channel == "plan/KH1" })
        #expect(
            try await send(device.sync([first, second]), from: device).receipts.map(\.verdict) == [
                .accepted, .accepted,
            ])
    }

    @Test("answers each request with a signature that fits no other")
    func nonce() async throws {
        var message = try device.syncMessage(device.sync())
        let response = try await centre.serve { [message] in try await $0.send(message) }
        _ = try centre.open(response, to: message)
        message.nonce = try device.syncMessage(device.sync()).nonce
        #expect(throws: ProtocolError(.badSignature, "")) { try centre.open(response, to: message) }
        message.nonce = nil
        #expect(throws: ProtocolError(.badSignature, "")) { try centre.open(response, to: message) }
    }

    @Test("refuses a cursor that does not fit the log, and asks to compare")
    func cursor() async throws {
        _ = try await send(device.sync([try device.seal("Một")]), from: device)
        var request = device.sync()
        var cursor = WireCursor()
        (cursor.channel, cursor.sequence, cursor.epoch) = ("plan/KH1", 1, Data(repeating: 7, count: 16))
        cursor.logHash = Data(repeating: 1, count: 32)
        request.cursors = [cursor]
        let message = try device.syncMessage(request)
        let response = try await centre.serve { try await $0.send(message) }
        #expect(response.status == .conflict)
        #expect(try centre.problem(response, to: message).recovery == "resync")
    }
}
