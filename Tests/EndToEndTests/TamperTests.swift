import Foundation
import KenhTesting
import Testing

/// A blob in a database that can be changed and put back by the sqlite3 tool.
private struct Blob {
    let node: Node
    let file: String
    let table: String
    let column: String
    let place: String
    let bytes: [UInt8]

    init(_ column: String, of table: String, where place: String, in node: Node, file: String = "kenh.db") throws {
        (self.node, self.file, self.table, self.column, self.place) = (node, file, table, column, place)
        let hex = try node.sql("SELECT hex(\(column)) FROM \(table) WHERE \(place);", of: file)
        bytes = stride(from: 0, to: hex.utf8.count - 1, by: 2).compactMap { start in
            UInt8(hex.dropFirst(start).prefix(2), radix: 16)
        }
        guard !bytes.isEmpty else { throw TestFailure("\(table).\(column) is empty where \(place)") }
    }

    func write(_ bytes: [UInt8]) throws {
        let hex = bytes.map { String(format: "%02x", $0) }.joined()
        try node.sql("UPDATE \(table) SET \(column) = x'\(hex)' WHERE \(place);", of: file)
    }

    /// With one bit changed at one place.
    func flipped(using random: inout SeededGenerator) -> [UInt8] {
        var changed = bytes
        changed[random.below(changed.count)] ^= 1 << UInt8(random.below(8))
        return changed
    }
}

@Suite("Bytes that were changed")
struct TamperTests {
    private static let work = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO work_item(id, channel, title) SELECT 'A/' || i, 'plan/KH1', 'Việc số ' || i FROM n;
        """

    /// A cell with a sealed block that the centre does not have.
    private func prepare(_ cells: [String] = ["CB1"]) throws -> Organisation {
        let organisation = try Organisation(cells)
        let cell = organisation["CB1"]
        try cell.synced()
        try cell.sql(Self.work)
        cell.line?.arm(.up, at: 0, .cut)
        #expect(try cell.sync().status == 69)
        cell.line?.disarm()
        return organisation
    }

    private func expectRefusal(_ outcome: Outcome, _ codes: Set<Int32>, _ what: String) {
        #expect(codes.contains(outcome.status) && outcome.hasOneLineError, "\(what): \(outcome)")
    }

    @Test("in a block's signature or header are refused by the centre, which logs nothing")
    func blocksOfACell() throws {
        var random = SeededGenerator(seed: 3)
        let organisation = try prepare()
        let cell = organisation["CB1"]
        for column in ["device_signature", "header"] {
            let blob = try Blob(column, of: "kenh_block", where: "sequence IS NULL", in: cell)
            for _ in 0..<12 {
                let changed = blob.flipped(using: &random)
                try blob.write(changed)
                // A header that cannot even be read is not sent.
                expectRefusal(try cell.sync(), column == "header" ? [65, 77] : [77], column)
                #expect(try organisation.loggedBlocks() == 0)
            }
            try blob.write(blob.bytes)
        }
        try organisation.settle(minimumRows: 300)
    }

    @Test("in a block's body are found by the cell before it sends anything")
    func bodies() throws {
        var random = SeededGenerator(seed: 4)
        let organisation = try prepare()
        let cell = organisation["CB1"]
        let blob = try Blob("body", of: "kenh_block", where: "sequence IS NULL", in: cell)
        for _ in 0..<12 {
            try blob.write(blob.flipped(using: &random))
            let outcome = try cell.sync()
            expectRefusal(outcome, [65], "body")
            #expect(outcome.errors.contains("kenh verify"), "\(outcome)")
            #expect(try cell.kenh("verify").status == 3)
            #expect(try organisation.loggedBlocks() == 0)
        }
        try blob.write(blob.bytes)
        try organisation.settle(minimumRows: 300)
    }

    @Test("in one block do not make the cell offer all others again and again")
    func successors() throws {
        let organisation = try prepare()
        let cell = organisation["CB1"]
        try cell.sql("UPDATE work_item SET title = 'Sửa';")
        cell.line?.arm(.up, at: 0, .cut)
        #expect(try cell.sync().status == 69)
        cell.line?.disarm()
        let blob = try Blob("device_signature", of: "kenh_block", where: "seq = 1", in: cell)
        try blob.write(blob.bytes.map { $0 ^ 1 })
        let before = try cell.sql("SELECT name, sequence FROM kenh_channel;")
        let outcome = try cell.sync()
        expectRefusal(outcome, [77], "the block before")
        #expect(outcome.errors.contains("signature"), "the reason is the block's own: \(outcome)")
        #expect(try cell.sql("SELECT name, sequence FROM kenh_channel;") == before)
        try blob.write(blob.bytes)
        try organisation.settle(minimumRows: 300)
    }

    @Test("in the centre's log are refused by a cell, which takes nothing")
    func log() throws {
        var random = SeededGenerator(seed: 5)
        let organisation = try prepare(["CB1", "CB2"])
        try organisation["CB1"].synced()
        let cell = organisation["CB2"]
        let entry = "kind = 1 AND channel = 'plan/KH1'"
        let blobs = [
            try Blob("payload", of: "log_entry", where: entry, in: organisation.centre, file: "log.db"),
            try Blob("object_hash", of: "log_entry", where: entry, in: organisation.centre, file: "log.db"),
            try Blob(
                "entry_hash", of: "log_head", where: "channel = 'plan/KH1'", in: organisation.centre, file: "log.db"),
        ]
        for blob in blobs {
            for _ in 0..<8 {
                try blob.write(blob.flipped(using: &random))
                expectRefusal(try cell.sync(), [65, 75, 77], "\(blob.table).\(blob.column)")
                #expect(try cell.sql("SELECT count(*) FROM work_item;") == "0")
                #expect(try cell.sql("SELECT count(*) FROM kenh_block;") == "0")
            }
            try blob.write(blob.bytes)
        }
        try cell.synced()
        try organisation.settle(minimumRows: 300)
    }

    @Test("in the time at which the centre says it took a block are refused by a cell")
    func acceptedAt() throws {
        let organisation = try prepare(["CB1", "CB2"])
        try organisation["CB1"].synced()
        let change = "UPDATE log_entry SET accepted_at = accepted_at"
        try organisation.centre.sql("\(change) - 86400000 WHERE kind = 1;", of: "log.db")
        expectRefusal(try organisation["CB2"].sync(), [77], "accepted_at")
        #expect(try organisation["CB2"].sql("SELECT count(*) FROM work_item;") == "0")
        try organisation.centre.sql("\(change) + 86400000 WHERE kind = 1;", of: "log.db")
        try organisation.settle(minimumRows: 300)
    }

    @Test("on the way up are refused by the centre, on the way down by the cell, and the next sync heals")
    func line() throws {
        var random = SeededGenerator(seed: 6)
        let organisation = try prepare()
        let cell = organisation["CB1"]
        let line = try #require(cell.line)
        for direction in [Line.Direction.up, .down] {
            line.arm(direction, at: 0, .keepBack)
            _ = try cell.sync()
            #expect(line.disarm())
            let bytes = line.passed(direction)
            let message = try #require(HTTPMessage(bytes))
            let logged = try organisation.loggedBlocks()
            let name = keyID(in: bytes)
            for place in places(in: message, using: &random) where !name.contains(place) {
                line.arm(direction, at: place, .flip(1 << UInt8(random.below(8))))
                expectRefusal(try cell.sync(), [69, 77], "byte \(place) \(direction)")
                #expect(line.disarm())
                #expect(try organisation.loggedBlocks() == logged, "byte \(place) \(direction)")
            }
        }
        try organisation.settle(minimumRows: 300)
    }

    @Test("in the device's name make it unknown to the centre: the cell compares logs, and the same sync goes on")
    func name() throws {
        let organisation = try prepare()
        let cell = organisation["CB1"]
        let line = try #require(cell.line)
        line.arm(.up, at: 0, .keepBack)
        _ = try cell.sync()
        #expect(line.disarm())
        let bytes = line.passed(.up)
        // 0 becomes 1, 1 becomes 0, …, 9 becomes 8.
        let digit = try #require(keyID(in: bytes).first { (0x30...0x39).contains(bytes[$0]) })
        let logged = try organisation.loggedBlocks()
        line.arm(.up, at: digit, .flip(1))
        try cell.synced()
        #expect(line.disarm())
        #expect(try organisation.loggedBlocks() == logged + 1)
        try organisation.settle(minimumRows: 300)
    }

    /// Offsets of the signer's key in a message.
    private func keyID(in bytes: [UInt8]) -> Range<Int> {
        guard let start = bytes.firstRange(of: Array("keyid=\"".utf8))?.upperBound else { return 0..<0 }
        return start..<start + 64
    }

    /// In the body, and in what signs it. Other headers may change without harm.
    private func places(in message: HTTPMessage, using random: inout SeededGenerator) -> [Int] {
        var places = (0..<16).map { _ in message.headCount + random.below(message.bodyCount) }
        for name in ["content-digest", "signature", "signature-input", "kenh-organisation"] {
            guard let value = message.value(of: name) else { continue }
            places += (0..<4).map { _ in value.lowerBound + random.below(value.count) }
        }
        return places
    }
}
