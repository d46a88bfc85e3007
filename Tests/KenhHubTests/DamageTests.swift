import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// Single bits that a disk turns over. None may go unnoticed where it changes what somebody sees, and what is noticed
/// is mended from the blocks, the centre and the cells.
@Suite struct DamageTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }

    /// The environment may ask for more.
    private static let flips = number("KENH_BIT_FLIPS") ?? 120
    private static let seed = UInt64(number("KENH_BIT_FLIP_SEED") ?? 1)

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    init() throws {
        fixture = try HubFixture()
        for number in 0..<160 {
            try a.insert("row\(number)", "kênh \(number) " + String(repeating: "ơ", count: number))
            try a.insert("task\(number)", channel: "plan/\(number % 2)")
            if number.isMultiple(of: 32) { try a.syncWhole() }
        }
        for _ in 1...2 { for device in [a, b] { try device.syncWhole() } }
        try a.update("row1", "by A")
        try b.update("row1", "by B")
        try b.store.write { try $0.delete("note", id: "row2") }
        for _ in 1...2 { for device in [b, a] { try device.syncWhole() } }
        // Not sealed, and not known to anybody else.
        try a.insert("new", "not sent")
        try a.update("row3", "not sent, either")
        try a.store.write { try $0.delete("note", id: "row4") }
        try a.store.setFact("root_key", .blob(fixture.root.publicKey.bytes))
        try a.store.setFact("serving_key", .blob(fixture.serving.publicKey.bytes))
        try a.store.setFact("serving_certificate", .blob(WireCoding.encode(fixture.hub.identity.certificate)))
    }

    private static func flip(_ data: Data, using random: inout SeededGenerator) -> Data {
        var data = data
        data[data.startIndex + random.below(data.count)] ^= 1 << UInt8(random.below(8))
        return data
    }

    // MARK: a cell's store

    private func rows(_ store: Store) throws -> [[Value]] {
        try ["note", "task"].flatMap { table in
            try store.rows("SELECT * FROM \(table) ORDER BY id").map { row in row.columns.map { row[$0] } }
        }
    }

    private func isFound(_ path: String) -> Bool {
        guard let store = try? Store(path: path, schema: HubFixture.schema, mustExist: true) else { return true }
        guard let report = try? store.verify(deep: true) else { return true }
        return !report.isGood
    }

    @Test("of a cell's store: found, or without any effect on what is shown; then mended")
    func store() throws {
        var random = SeededGenerator(seed: Self.seed)
        let image = try #require(FileManager.default.contents(atPath: a.store.path))
        let expected = try rows(a.store)
        let conflicts = try a.store.conflicts()
        var (found, mended, hopeless) = (0, 0, 0)
        for number in 0..<Self.flips {
            let path = fixture.directory.appending(path: "flipped-\(number).db").path
            try Self.flip(image, using: &random).write(to: URL(filePath: path))
            guard isFound(path) else {
                let store = try Store(path: path, schema: HubFixture.schema)
                #expect(try rows(store) == expected, "flip \(number) is silently wrong")
                let shown = try store.conflicts()
                #expect(shown == conflicts, "flip \(number) is silently wrong: \(shown), not \(conflicts)")
                continue
            }
            found += 1
            guard let store = try repaired(path) else {
                hopeless += 1
                continue
            }
            if try rows(store) == expected { mended += 1 }
            let problems = try store.verify(deep: true).problems
            #expect(problems == [], "flip \(number)")
        }
        // Where the flip hit what was never sent, or SQLite's own catalogue, nobody has the truth.
        #expect(found > Self.flips / 8)
        #expect(mended * 10 >= (found - hopeless) * 9, "\(found) found, \(mended) mended, \(hopeless) hopeless")
        #expect(hopeless * 4 <= found, "\(found) found, \(mended) mended, \(hopeless) hopeless")
    }

    /// Nil where not even who the store is can be read.
    private func repaired(_ path: String) throws -> Store? {
        let (clock, new) = (fixture.clock, path + ".repaired")
        guard
            var repair = try? StoreRepair(
                damaged: path, newPath: new, schema: HubFixture.schema, key: a.identity.key,
                clock: { clock.milliseconds })
        else { return nil }
        let device = a.with(repair.store)
        try device.syncWhole()
        try repair.redoPending()
        return repair.store
    }

    // MARK: the centre's log

    private func content(_ log: any HubLog) throws -> [String] {
        try log.read { transaction in
            try transaction.heads().flatMap { head in
                try transaction.entries(channel: head.channel, after: 0, limitBytes: .max).map {
                    "\($0.channel) \($0.sequence) \($0.objectHash) \($0.acceptedAtMilliseconds) \($0.payload.hex)"
                }
            }
        }
    }

    @Test("of the centre's log: found, or without any effect on what it gives out; then the cells hand back the rest")
    func log() throws {
        var random = SeededGenerator(seed: Self.seed ^ 0x10C)
        let path = fixture.directory.appending(path: "log.db").path
        let image = try #require(FileManager.default.contents(atPath: path))
        let expected = try content(fixture.log)
        let verifier = LogVerifier(identity: fixture.hub.identity)
        #expect(try verifier.verify(fixture.log).problems == [])
        let cells = try [a, b].map { try $0.copyOfStore() }
        let blocks = try fixture.blockCount
        var found = 0
        for number in 0..<Self.flips {
            let flipped = fixture.directory.appending(path: "flipped-\(number).log").path
            try Self.flip(image, using: &random).write(to: URL(filePath: flipped))
            let log = try? SQLiteLog(path: flipped, newEpoch: [UInt8](repeating: 1, count: 16))
            let report = try? log.map { try verifier.verify($0) }
            if let log, report?.isGood == true {
                #expect(try content(log) == expected, "flip \(number) is silently wrong")
                continue
            }
            found += 1
            try mend(flipped, cells, number, blocks)
        }
        // Most of a small log is room that nobody reads.
        #expect(found > Self.flips / 8)
    }

    @Test("of a channel's name, wherever it stands in the log's file: found, and the check comes to an end")
    func channelNames() throws {
        let path = fixture.directory.appending(path: "log.db").path
        let image = try #require(FileManager.default.contents(atPath: path))
        let expected = try content(fixture.log)
        let verifier = LogVerifier(identity: fixture.hub.identity)
        var place = image.startIndex
        var count = 0
        while let found = image.range(of: Data("plan/".utf8), in: place..<image.endIndex) {
            place = found.upperBound
            count += 1
            var damaged = image
            damaged[found.lowerBound] ^= 0x20
            let flipped = fixture.directory.appending(path: "renamed-\(count).log").path
            try damaged.write(to: URL(filePath: flipped))
            guard let log = try? SQLiteLog(path: flipped, newEpoch: [UInt8](repeating: 1, count: 16)),
                let report = try? verifier.verify(log), report.isGood
            else { continue }
            #expect(try content(log) == expected, "name \(count) is silently wrong")
        }
        #expect(count > 10)
    }

    private func mend(_ path: String, _ cells: [Store], _ number: Int, _ blocks: Int) throws {
        let new = path + ".repaired"
        guard
            (try? LogRepair(
                damaged: path, newPath: new, identity: fixture.hub.identity, device: a.identity.key.publicKey,
                epoch: [UInt8](repeating: UInt8(100 + number % 100), count: 16))) != nil
        else { return }
        try fixture.use(log: new)
        let devices = try zip([a, b], cells).map { device, store in
            device.with(try device.copy(of: store))
        }
        for _ in 1...2 { for device in devices { try device.syncWhole() } }
        #expect(try devices[0].store.settledDigests() == devices[1].store.settledDigests(), "flip \(number)")
        #expect(try LogVerifier(identity: fixture.hub.identity).verify(fixture.log).problems == [], "flip \(number)")
        #expect(try fixture.blockCount >= blocks, "flip \(number)")
    }
}
