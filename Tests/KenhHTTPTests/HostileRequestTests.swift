import HTTPTypes
import HummingbirdTesting
import KenhHub
import KenhProtocol
import KenhTesting
import Synchronization
import Testing

/// Requests that nobody honest sends, from a seed: good ones with something changed, and noise.
private struct HostileRequests {
    var random: SeededGenerator
    let centre: Centre
    let device: Device

    mutating func next() throws -> Message {
        var message = try honest()
        for _ in 0...random.below(3) { spoil(&message) }
        return message
    }

    private mutating func honest() throws -> Message {
        switch random.below(4) {
        case 0: try device.syncMessage(device.sync())
        case 1: try device.syncMessage(device.sync([try device.seal("Việc")]))
        case 2: try device.message("/v1/sync", noise(random.below(300)))
        default: try device.message("/v1/enroll", noise(random.below(300)), organisation: "")
        }
    }

    private mutating func noise(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    private mutating func spoil(_ message: inout Message) {
        let place = random.below(message.headers.count)
        switch random.below(8) {
        case 0: message.headers.remove(at: place)
        case 1: message.headers[place].1 = spoilt(message.headers[place].1)
        case 2: message.headers[place].1 = String(repeating: "\"(;=", count: random.below(2000))
        case 3: message.headers.append((message.headers[place].0, text(40)))
        case 4: message.body = message.body.map { spoilt($0) }
        case 5: message.body = message.body.map { Array($0.prefix(random.below($0.count + 1))) }
        case 6: message.path += random.pick(["?", "?x=%00", "%2f", "//", "\u{301}"]) ?? ""
        default: message.headers[place].1 = text(random.below(200))
        }
        if message.headers.isEmpty { message.headers = [("x", "y")] }
    }

    /// Any characters that a header may carry.
    private mutating func text(_ count: Int) -> String {
        String(decoding: (0..<count).map { _ in UInt8(0x20 + random.below(0x5f)) }, as: UTF8.self)
    }

    private mutating func spoilt(_ value: String) -> String {
        var bytes = Array(value.utf8)
        guard !bytes.isEmpty else { return text(8) }
        bytes[random.below(bytes.count)] = UInt8(0x20 + random.below(0x5f))
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func spoilt(_ value: [UInt8]) -> [UInt8] {
        guard !value.isEmpty else { return noise(5) }
        var bytes = value
        bytes[random.below(bytes.count)] ^= UInt8(1) << UInt8(random.below(8))
        return bytes
    }
}

@Suite("Two thousand hostile requests")
struct HostileRequestTests {
    @Test("get an answer that is no failure of the centre's, and afterwards it serves as before", arguments: 1...4)
    func hostile(_ seed: UInt64) async throws {
        let centre = try Centre()
        let device = try centre.joined(5)
        try await centre.serve { client in
            var requests = HostileRequests(random: SeededGenerator(seed: seed), centre: centre, device: device)
            var statuses: Set<Int> = []
            for number in 0..<500 {
                let message = try requests.next()
                let status = try await client.send(message).status.code
                statuses.insert(status)
                #expect(status < 500, "request \(number) of seed \(seed): \(message)")
            }
            #expect(statuses.isSuperset(of: [400, 401, 403, 404]), "\(statuses)")
            let other = try centre.joined(6)
            let message = try other.syncMessage(other.sync([try other.seal("Một")]))
            let response = try await client.send(message)
            let answer = try WireCoding.decode(WireSyncResponse.self, from: try centre.open(response, to: message))
            #expect(answer.receipts.map(\.verdict) == [.accepted])
        }
    }
}
