import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// A centre's log with two registered devices, two blocks of each and two codes, as a file to begin each run with.
struct HubWorld {
    let logFile: [UInt8]
    let codes: [EnrolmentCode]
    /// What a device without any cursor is given.
    let answer: WireSyncResponse
    let blocks: [Block]

    static let shared: HubWorld = {
        do { return try HubWorld() } catch { preconditionFailure("\(error)") }
    }()

    private init() throws {
        let folder = try ScratchFolder()
        (codes, answer, blocks) = try Self.fill(folder)
        logFile = try folder.read("log.db")
    }

    private static func fill(_ folder: ScratchFolder) throws -> ([EnrolmentCode], WireSyncResponse, [Block]) {
        let hub = try open(folder)
        var blocks: [Block] = []
        for (number, cell) in ["A", "B"].enumerated() {
            try hub.addCell(code: cell, name: "Cell \(cell)")
            _ = try hub.enroll(request(try hub.issueCode(cell: cell), device: number))
            let sealed = try edits(folder.path("\(cell).db"), device: number)
            _ = try hub.sync(upload(sealed, device: number), from: device(number))
            blocks += sealed
        }
        try hub.addCell(code: "C", name: "Cell C")
        let codes = [try hub.issueCode(cell: "C"), try hub.issueCode(cell: "A")]
        let answer = try hub.sync(upload([], device: 0, withOwn: true), from: device(0))
        return (codes, answer, blocks)
    }

    static func open(_ folder: ScratchFolder) throws -> Hub {
        let log = try SQLiteLog(path: folder.path("log.db"), newEpoch: [UInt8](repeating: 7, count: 16))
        let generators = Generators()
        return Hub(
            log: log, identity: try FuzzWorld.hubIdentity(), clock: { FuzzWorld.now }, random: { generators.next() })
    }

    static func device(_ number: Int) -> RegisteredDevice {
        RegisteredDevice(key: FuzzWorld.devices[number].publicKey, cell: ["A", "B", "C"][number], name: "d")
    }

    static func upload(_ blocks: [Block], device: Int, withOwn: Bool = false) -> WireSyncRequest {
        var request = WireSyncRequest()
        request.protocol = Limits.protocolVersion
        request.replica = Data(FuzzWorld.replicas[device].bytes)
        request.blocks = blocks.map(\.wire)
        request.withOwnBlocks = withOwn
        return request
    }

    static func request(_ code: EnrolmentCode, device: Int) throws -> WireEnrollRequest {
        let (key, replica) = (FuzzWorld.devices[device], FuzzWorld.replicas[device])
        let organisation = FuzzWorld.organisation
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(key.publicKey.bytes)
        request.replica = Data(replica.bytes)
        request.deviceName = "d"
        request.proof = Data(code.proof(organisation: organisation, deviceKey: key.publicKey, replica: replica))
        let claim = Enrolment.claim(organisation: organisation, key: key.publicKey, replica: replica)
        request.countersignature = Data(try key.sign(claim, domain: .enrolment))
        return request
    }

    /// Two blocks of each device, in two channels.
    private static func edits(_ path: String, device: Int) throws -> [Block] {
        let store = try FuzzWorld.openStore(path)
        try store.write { transaction in
            try transaction.insert("note", [("id", "r1"), ("title", "t"), ("secret", "s")])
            try transaction.insert("task", [("id", "r2"), ("channel", "a"), ("title", "u"), ("points", 1)])
        }
        return try store.outbox(as: FuzzWorld.identity(device), limitBytes: 1 << 20).blocks
    }
}

/// One generator after another, all from one sequence.
private final class Generators: @unchecked Sendable {
    private let lock = NSLock()
    private var count: UInt64 = 0

    func next() -> any RandomNumberGenerator {
        lock.withLock {
            count += 1
            return Offset(state: count << 32)
        }
    }

    private struct Offset: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 1
            return state
        }
    }
}
