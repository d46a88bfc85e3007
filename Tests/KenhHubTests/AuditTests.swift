import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

/// A file that shows a log to those who do not trust its centre.
@Suite("An audit file") struct AuditTests {
    private let fixture: HubFixture
    private var a: DeviceFixture { fixture["A"] }
    private var b: DeviceFixture { fixture["B"] }
    private var path: URL { fixture.directory.appending(path: "term.audit") }

    init() throws {
        fixture = try HubFixture()
        for number in 1...6 {
            try a.store.write(officer: "A-01") { try $0.insert("note", [("id", .text("a\(number)")), ("title", "t")]) }
            try b.insert("b\(number)", channel: "plan/\(number % 2)")
            try a.syncWhole()
            try b.syncWhole()
            fixture.clock.advance(milliseconds: 86_400_000)
        }
    }

    private func export(_ checkpoints: [KeptCheckpoint] = []) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: fixture.hub, checkpoints: checkpoints).run { bytes += $0 }
        return bytes
    }

    private func verify(_ bytes: [UInt8], notes: [(name: String, note: String)] = []) throws -> AuditReport {
        try Data(bytes).write(to: path)
        let file = try FileHandle(forReadingFrom: path)
        defer { try? file.close() }
        return try AuditVerifier(organisation: fixture.organisation, notes: notes).verify(file)
    }

    private func notes(of device: DeviceFixture) throws -> [(name: String, note: String)] {
        try device.store.checkpoints().map { ("a checkpoint of \(device.name)", $0.note) }
    }

    @Test("says who wrote what, from which counter to which")
    func good() throws {
        let bytes = try export(a.store.checkpoints())
        let report = try verify(bytes, notes: notes(of: a) + notes(of: b))
        #expect(report.problems == [])
        #expect(report.blocks == 12 && report.changes == 12)
        #expect(report.text.contains("A · A-01 · org: changes 1–6 (6 in 6 blocks"))
        #expect(report.text.contains("B · nobody signed in · plan/0: changes 1–3 (3 in 3 blocks"))
        let head = String(decoding: bytes.prefix(2_000), as: UTF8.self)
        #expect(head.contains("A · A-01 · org: changes 1–6"), "it can be read without any tool")
    }

    @Test("one altered bit anywhere is found")
    func flips() throws {
        let good = try export(a.store.checkpoints())
        var random = SeededGenerator(seed: 5)
        for _ in 0..<400 {
            var bytes = good
            let place = Int(random.next() % UInt64(bytes.count))
            bytes[place] ^= 1 << UInt8(random.next() % 8)
            do {
                let report = try verify(bytes)
                #expect(!report.isGood, "byte \(place) of \(good.count)")
            } catch let error as ProtocolError { #expect(error.code == .malformed && place < 13) }
        }
    }

    /// Start and end of each record, its length included.
    private func records(_ bytes: [UInt8]) -> [Range<Int>] {
        var records: [Range<Int>] = []
        var place = 13
        while place < bytes.count {
            let start = place
            var (length, shift) = (0, 0)
            repeat {
                length |= Int(bytes[place] & 0x7F) << shift
                shift += 7
                place += 1
            } while bytes[place - 1] & 0x80 != 0
            place += length
            records.append(start..<place)
        }
        return records
    }

    @Test("a record that is left out, doubled or moved is named")
    func records() throws {
        let good = try export()
        let records = records(good)
        for number in records.indices {
            var bytes = good
            bytes.removeSubrange(records[number])
            #expect(try !verify(bytes).isGood, "record \(number) left out")
            bytes = good
            bytes.insert(contentsOf: good[records[number]], at: records[number].lowerBound)
            #expect(try !verify(bytes).isGood, "record \(number) twice")
        }
        var bytes = good
        bytes.removeSubrange(records[7])
        #expect(try verify(bytes).problems.contains("entry 5 is missing"))
        #expect(try !verify(Array(good.prefix(records[9].lowerBound))).isGood, "cut short")
    }

    @Test("what a centre rewrote is found by the checkpoints that cells keep, and only by them")
    func rewritten() throws {
        let kept = try notes(of: b)
        // The same organisation and keys, another history.
        let other = try HubFixture()
        try other["A"].insert("other")
        for number in 1...30 {
            try other["A"].insert("x\(number)")
            try other["A"].syncWhole()
        }
        var bytes: [UInt8] = []
        _ = try AuditExport(hub: other.hub, checkpoints: []).run { bytes += $0 }
        #expect(other.organisation == fixture.organisation)
        #expect(try verify(bytes).problems == [], "a log is as good as what is known of it")
        let found = try verify(bytes, notes: kept).problems
        #expect(found.contains { $0.hasPrefix("a checkpoint of B over") })
    }

    @Test("what a restored centre had once shown is no fault, and is said")
    func restored() throws {
        try fixture.backUpLog()
        try a.insert("lost")
        try a.syncWhole()
        let kept = try notes(of: a)
        try fixture.restoreLog()
        try a.syncWhole()
        try b.insert("after")
        try b.syncWhole()
        let report = try verify(try export(), notes: kept)
        #expect(report.problems == [])
        #expect(report.remarks.count == 1)
        #expect(report.text.contains("restored     after entry"))
    }

    @Test("where a centre took other entries in the place of lost ones before anybody noticed, the checkpoint is named")
    func restoredAndGoneOn() throws {
        try fixture.backUpLog()
        try a.insert("lost")
        try a.syncWhole()
        let kept = try notes(of: a)
        try fixture.restoreLog()
        for number in 1...3 {
            try b.insert("after\(number)")
            try b.syncWhole()
        }
        try a.syncWhole()
        #expect(try verify(try export()).problems == [])
        let problems = try verify(try export(), notes: kept).problems
        #expect(problems.count == 1 && problems[0].contains("its life ended after entry"))
    }

    @Test("a checkpoint behind entries, or a second organisation, is not passed over")
    func order() throws {
        let good = try export(a.store.checkpoints())
        let records = records(good)
        for number in [1, 2] {
            var bytes = good
            bytes.insert(contentsOf: good[records[number]], at: records[records.count - 1].lowerBound)
            let problems = try verify(bytes).problems
            #expect(problems.contains { $0.contains(number == 1 ? "twice" : "stand before") }, "\(problems)")
        }
    }

    @Test("another organisation's file is not taken for this one's")
    func otherOrganisation() throws {
        try Data(try export()).write(to: path)
        let file = try FileHandle(forReadingFrom: path)
        let report = try AuditVerifier(organisation: .zero).verify(file)
        #expect(!report.isGood)
        try Data("hello, this is no audit file at all".utf8).write(to: path)
        #expect(throws: ProtocolError(.malformed, "")) {
            try AuditVerifier().verify(try FileHandle(forReadingFrom: path))
        }
    }
}
