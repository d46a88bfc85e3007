import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// Messages to the centre, from anybody and from a registered device that lies: every answer can be followed by
    /// everybody else, whatever was taken in before.
    static let sync = FuzzTarget("sync", seeds: { try SyncFuzz.seeds() }) { bytes in
        let folder = try ScratchFolder()
        try folder.write(HubWorld.shared.logFile, to: "log.db")
        var fuzz = SyncFuzz(hub: try HubWorld.open(folder), input: FuzzInput(bytes))
        var steps = 0
        while !fuzz.input.isAtEnd, steps < 8 {
            try fuzz.step()
            steps += 1
        }
        try fuzz.checkLog()
    }
}

private struct SyncFuzz {
    let hub: Hub
    var input: FuzzInput
    private var accepted = 0
    private var lanes = HostileLanes()

    init(hub: Hub, input: FuzzInput) {
        self.hub = hub
        self.input = input
        for (number, block) in HubWorld.shared.blocks.enumerated() { lanes.add(block, device: number / 2) }
    }

    mutating func step() throws {
        let device = input.below(2)
        switch input.below(7) {
        case 0:
            try Self.answering {
                let request = try WireCoding.decode(WireSyncRequest.self, from: input.chunk())
                try sync(request, device)
            }
        case 1: try Self.answering { try sync(upload(device), device) }
        case 2: try Self.answering { try sync(asking(), device) }
        case 3:
            try Self.answering {
                let request = try WireCoding.decode(WireEnrollRequest.self, from: input.chunk())
                _ = try hub.enroll(request)
            }
        case 4: try Self.answering { try enrol() }
        case 5:
            try Self.answering {
                let request = try WireCoding.decode(WireReconcileRequest.self, from: input.chunk())
                _ = try hub.reconcile(request, from: FuzzWorld.devices[device].publicKey)
            }
        default: try Self.answering { try reconcile(device) }
        }
    }

    /// Refusals are in the words of the protocol and of the hub.
    private static func answering(_ body: () throws -> Void) throws {
        do { try body() } catch is ProtocolError {} catch is HubError {}
    }

    private mutating func sync(_ request: WireSyncRequest, _ device: Int) throws {
        let response = try hub.sync(request, from: HubWorld.device(device))
        accepted += response.receipts.count { $0.verdict == .accepted }
        try require(
            request.blocks.isEmpty || response.receipts.count == request.blocks.count, "not one receipt a block")
        let bytes = try WireCoding.encode(response)
        try require(
            try WireCoding.decode(WireSyncResponse.self, from: bytes) == response, "an answer changes on the way")
    }

    private mutating func upload(_ device: Int) throws -> WireSyncRequest {
        let count = input.below(3) + 1
        var blocks: [Block] = []
        for _ in 0..<count { blocks += try lanes.block(&input, device: device).map { [$0] } ?? [] }
        return HubWorld.upload(blocks, device: input.below(8) == 7 ? 2 : device)
    }

    private mutating func asking() throws -> WireSyncRequest {
        var request = HubWorld.upload([], device: input.below(3), withOwn: input.flag())
        let epoch = HubWorld.shared.answer.epoch
        for _ in 0..<input.below(4) {
            var cursor = WireCursor()
            cursor.channel = input.pick(["org", "a", "kenh/registry", "none", ""])
            cursor.sequence = UInt64(bitPattern: input.number())
            cursor.epoch = input.flag() ? epoch : Data(input.chunk())
            let head = HubWorld.shared.answer.heads.first { $0.channel == cursor.channel }
            cursor.logHash = input.flag() ? head?.logHash ?? Data() : Data(input.chunk())
            request.cursors.append(cursor)
        }
        request.downLimitBytes = UInt32(truncatingIfNeeded: input.number())
        return request
    }

    /// A good enrolment with some of it changed.
    private mutating func enrol() throws {
        var request = try HubWorld.request(input.pick(HubWorld.shared.codes), device: 2)
        for _ in 0..<input.below(3) {
            switch input.below(6) {
            case 0: request.codeID = Data(input.chunk())
            case 1: request.deviceKey = Data(input.chunk())
            case 2: request.replica = input.flag() ? Data(FuzzWorld.replicas[0].bytes) : Data(input.chunk())
            case 3: request.deviceName = input.text()
            case 4: request.proof = Data(input.chunk())
            default: request.countersignature = Data(input.chunk())
            }
        }
        let response = try hub.enroll(request)
        try require(!request.proof.isEmpty || response.cell.isEmpty, "a cell is named without a proof")
    }

    /// True entries of the log and their proofs, handed back with some of it changed.
    private mutating func reconcile(_ device: Int) throws {
        var request = WireReconcileRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(FuzzWorld.replicas[device].bytes)
        for _ in 0..<input.below(4) {
            let item = handedBack(input.pick(HubWorld.shared.answer.entries))
            request.handedBack.append(item)
            if input.flag() { request.places.append(places(item.proof)) }
        }
        let response = try hub.reconcile(request, from: FuzzWorld.devices[device].publicKey)
        try require(response.common.count == request.places.count, "not one common place a channel")
    }

    private mutating func handedBack(_ entry: WireLogEntry) -> WireHandedBack {
        var item = WireHandedBack()
        item.proof.epoch = HubWorld.shared.answer.epoch
        (item.proof.kind, item.proof.channel, item.proof.sequence) = (entry.kind, entry.channel, entry.sequence)
        (item.proof.objectHash, item.proof.acceptedAtMs) = (entry.objectHash, entry.acceptedAtMs)
        (item.proof.signature, item.proof.previous) = (entry.signature, Data(Hash256.zero.bytes))
        if input.flag(), entry.hasBlock { item.block = entry.block }
        if entry.hasRegistry { item.registry = entry.registry }
        if input.below(4) == 3 { item.proof.sequence = UInt64(bitPattern: input.number()) }
        if input.below(4) == 3 { item.proof.epoch = Data(input.take(16)) }
        return item
    }

    private mutating func places(_ proof: WireEntryProof) -> WireChannelPlaces {
        var place = WireLogPlace()
        (place.sequence, place.logHash) = (UInt64(bitPattern: input.number()), Data(input.take(32)))
        var places = WireChannelPlaces()
        (places.channel, places.places, places.newest) = (proof.channel, [place], [proof])
        return places
    }

    /// A new device follows the whole log: the centre took nothing in that others refuse.
    func checkLog() throws {
        var request = HubWorld.upload([], device: 0, withOwn: true)
        var follower = LogFollower(
            serving: ServingKeys(FuzzWorld.serving.publicKey), organisation: FuzzWorld.organisation, cursors: [],
            knownKey: { _ in nil })
        var blocks = 0
        var more = true
        while more {
            let answer = try hub.sync(request, from: HubWorld.device(0))
            let delivery = try follower.follow(answer.entries, epoch: Array(answer.epoch))
            try follower.agree(with: answer.heads)
            blocks += delivery.items.count { $0.block != nil }
            more = answer.more
            request.cursors = answer.heads.compactMap { head in
                follower.logHash(of: head.channel).map {
                    ChannelCursor(
                        channel: head.channel, epoch: Array(answer.epoch), sequence: $0.sequence, logHash: $0.hash
                    ).wire
                }
            }
        }
        try require(
            blocks == HubWorld.shared.blocks.count + accepted, "the log does not hold just what was acknowledged")
    }

    static func seeds() throws -> [[UInt8]] {
        var raw = FuzzOutput()
        raw.byte(0)
        raw.byte(0)
        raw.chunk(try WireCoding.encode(HubWorld.upload([HubWorld.shared.blocks[0]], device: 0, withOwn: true)))
        var enrol = FuzzOutput()
        enrol.byte(0)
        enrol.byte(3)
        enrol.chunk(try WireCoding.encode(HubWorld.request(HubWorld.shared.codes[0], device: 2)))
        return [
            raw.bytes, enrol.bytes, [0, 4, 0, 0], [0, 1, 2] + Array(0..<160),
            [1, 1, 1] + [UInt8](repeating: 1, count: 60) + [0, 2, 0, 1, 2, 0, 9, 1, 1, 2, 9, 1, 1],
        ]
    }
}
