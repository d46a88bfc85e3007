import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Synchronization
import Testing

@Suite("Moving attachments")
final class AttachmentSyncTests {
    private static let channel = "plan/KH1"

    private let folder: URL
    private let store: Store
    private let files: FaultyBlobFiles
    private let plain: BlobFolder
    private let centre = MemoryBlobCentre()
    private let clock = ManualClock(milliseconds: 1_760_000_000_000)
    private let blob = SampleBlob(1000)
    private let other = SampleBlob(300, seed: 2)

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "kenh-attachments-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let table = Table("note", channel: .constant("org"), columns: [])
        store = try Store(
            path: folder.appending(path: "kenh.db").path, schema: Schema([Migration(1, [.table(table)])]),
            clock: { [clock] in clock.milliseconds })
        plain = BlobFolder(path: folder.appending(path: "attachments").path)
        files = FaultyBlobFiles(plain)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func transfer(_ blob: SampleBlob, _ direction: Transfer.Direction) -> Transfer {
        Transfer(hash: blob.hash, channel: Self.channel, direction: direction, size: blob.size, type: "image/png")
    }

    private func attach(_ blob: SampleBlob) throws {
        try plain.write(blob.bytes, toPart: "new", at: 0, isDurable: true)
        #expect(try plain.finish("new", as: blob.hash))
        try store.add(transfer(blob, .up))
    }

    private func want(_ blob: SampleBlob) throws { try store.add(transfer(blob, .down)) }

    private func run(piece: Int = 100, cancellation: Cancellation = Cancellation()) throws -> LaneReport {
        var sync = AttachmentSync(
            store: store, files: files, link: centre, cancellation: cancellation,
            random: { SeededGenerator(seed: 3) })
        sync.options.pieceBytes = piece
        sync.options.limitBytes = 10_000
        return try sync.run()
    }

    private func state(_ blob: SampleBlob) throws -> Transfer? {
        try store.transfers().first { $0.hash == blob.hash }
    }

    private func fail(_ call: Int, _ error: CellError = MemoryBlobCentre.lost) {
        centre.state.withLock { $0.failures[$0.calls + call] = error }
    }

    /// Until nothing is due any more, an hour at a time.
    private func settle() throws {
        for _ in 0..<20 {
            _ = try run()
            if try store.transfers().allSatisfy(\.isDone) { return }
            clock.advance(milliseconds: 24 * 3_600_000)
        }
        Issue.record("something is never done: \(try store.transfers())")
    }

    // MARK: up and down

    @Test("goes up and comes down in pieces, and costs nothing once all is there")
    func roundTrip() throws {
        try attach(blob)
        centre.give(other, in: Self.channel)
        try want(other)
        let report = try run()
        #expect(report.sent == 1 && report.fetched == 1 && report.failures.isEmpty && !report.isCutOff)
        #expect(centre.has(blob, in: Self.channel))
        #expect(try plain.read(other.hash, from: 0, limit: 1000) == other.bytes)
        #expect(centre.state.withLock { $0.pieces }.max() == 100)
        let calls = centre.state.withLock { $0.calls }
        #expect(try run() == LaneReport())
        #expect(centre.state.withLock { $0.calls } == calls)
    }

    @Test(
        "goes on where it was cut, at every request, up and down, whether or not the centre did what it was asked",
        arguments: [false, true])
    func cuts(_ isLost: Bool) throws {
        for call in 1...12 {
            let (up, down) = (SampleBlob(950, seed: UInt64(call) + 100), SampleBlob(950, seed: UInt64(call) + 200))
            centre.state.withLock { $0.pieces = [] }
            centre.give(down, in: Self.channel)
            try attach(up)
            try settle(losing: call, isLost)
            try want(down)
            try settle(losing: call, isLost)
            #expect(centre.has(up, in: Self.channel), "cut at \(call)")
            #expect(try plain.isGood(down.hash) == true, "cut at \(call)")
            // A piece may come again, since its answer was lost; what came before it does not.
            let moved = centre.state.withLock { $0.pieces.reduce(0, +) }
            #expect((1900...2100).contains(moved), "cut at \(call): \(moved) bytes moved")
        }
    }

    private func settle(losing call: Int, _ isLost: Bool) throws {
        centre.state.withLock { state in
            let call = state.calls + call
            if isLost { state.losesAnswer = [call] } else { state.failures = [call: MemoryBlobCentre.lost] }
        }
        try settle()
    }

    @Test("one that fails waits for itself, ever longer, and holds up no other")
    func alone() throws {
        try attach(blob)
        try attach(other)
        centre.state.withLock { $0.refused[other.hash] = CellError(.refused, "no", recovery: .retry) }
        let report = try run()
        #expect(report.sent == 1 && report.failures == ["no"] && centre.has(blob, in: Self.channel))
        let late = try #require(try state(other))
        #expect(!late.isDone && late.tries == 1 && late.error == "no" && late.nextAtMilliseconds >= clock.milliseconds)
        centre.state.withLock { $0.refused = [:] }
        clock.milliseconds = late.nextAtMilliseconds - 1
        #expect(try run().sent == 0)
        clock.advance(milliseconds: 1)
        #expect(try run().sent == 1)
        #expect(try state(other)?.error == "")
    }

    @Test("a clock that was weeks ahead when it failed does not silence it for weeks")
    func clockPutBack() throws {
        let weeks: Int64 = 20 * 24 * 3_600_000
        clock.advance(milliseconds: weeks)
        try attach(blob)
        fail(1)
        #expect(try run().sent == 0)
        clock.advance(milliseconds: -weeks)
        #expect(try run().sent == 1)
    }

    @Test("what a person has to see to is tried once a day, in case somebody has")
    func person() throws {
        try attach(blob)
        centre.state.withLock { $0.refused[blob.hash] = CellError(.refused, "not allowed", recovery: .askAPerson) }
        #expect(try run().failures == ["not allowed"])
        let wait = try #require(try state(blob)).nextAtMilliseconds - clock.milliseconds
        #expect(wait >= 24 * 3_600_000)
        centre.state.withLock { $0.refused = [:] }
        try settle()
        #expect(centre.has(blob, in: Self.channel))
    }

    @Test("where the line is down, two try and the others wait for the next sync")
    func line() throws {
        for seed in UInt64(10)..<20 { try attach(SampleBlob(50, seed: seed)) }
        for call in 1...100 { fail(call) }
        let report = try run()
        #expect(report.isCutOff && report.failures.count == 2 && centre.state.withLock { $0.calls } == 2)
        #expect(try store.transfers().allSatisfy { $0.nextAtMilliseconds <= clock.milliseconds + 600_000 })
        centre.state.withLock { $0.failures = [:] }
        try settle()
    }

    @Test("a piece is smaller after each failure, since on a bad line a small one arrives sooner")
    func smaller() throws {
        let large = SampleBlob(9000, seed: 5)
        try store.add(transfer(large, .up))
        var late = transfer(large, .up)
        late.tries = 3
        try plain.write(large.bytes, toPart: "new", at: 0, isDurable: true)
        #expect(try plain.finish("new", as: large.hash))
        try store.update(late)
        let lane = try run(piece: 1 << 17)
        #expect(lane.sent == 1 && centre.state.withLock { $0.pieces } == [9000])
        var machine = AttachmentLane()
        var random = SeededGenerator(seed: 1)
        _ = machine.handle(.started([late], epoch: []), nowMilliseconds: 0, using: &random)
        _ = machine.handle(.status(nil, local: 0), nowMilliseconds: 0, using: &random)
        let effects = machine.handle(.checked(true), nowMilliseconds: 0, using: &random)
        #expect(effects == [.send(late, offset: 0, limitBytes: BlobRules.pieceBytes >> 3)])
    }

    // MARK: what is lost or changed

    @Test("a centre that was put back from a copy gets again what it lacks, without being asked for it")
    func restored() throws {
        try attach(blob)
        try settle()
        centre.forget()
        #expect(try run().sent == 0, "nothing tells that it was put back")
        var known = try #require(try state(blob))
        known.epoch = [9]
        try store.update(known)
        #expect(try run().sent == 1 && centre.has(blob, in: Self.channel))
        centre.forget()
        clock.advance(milliseconds: 8 * 24 * 3_600_000)
        #expect(try run().sent == 1 && centre.has(blob, in: Self.channel), "and now and then it is asked")
    }

    @Test("one that is asked after while the line is down stays done")
    func asking() throws {
        try attach(blob)
        try settle()
        clock.advance(milliseconds: 8 * 24 * 3_600_000)
        fail(1)
        #expect(try run().failures.count == 1)
        #expect(try state(blob)?.isDone == true)
    }

    @Test("an upload whose file was changed on the disk is never sent, and says so")
    func changedFile() throws {
        try attach(blob)
        try Data(blob.bytes.map { $0 ^ 1 }).write(to: URL(filePath: plain.path(of: blob.hash)))
        let report = try run()
        #expect(report.sent == 0 && report.failures.count == 1 && report.failures[0].contains("attach it again"))
        #expect(centre.state.withLock { $0.pieces } == [])
    }

    @Test("bytes that are not what the name says are thrown away and fetched anew")
    func lyingCentre() throws {
        centre.give(blob, in: Self.channel)
        centre.state.withLock { $0.lies[blob.hash] = blob.bytes.map { $0 ^ 1 } }
        try want(blob)
        #expect(try run().fetched == 0)
        #expect(try plain.size(of: blob.hash) == nil && plain.parts().isEmpty)
        centre.state.withLock { $0.lies = [:] }
        try settle()
        #expect(try plain.isGood(blob.hash) == true)
    }

    @Test("a centre that sends nothing, or says it has more than it has, is not asked for ever")
    func silentCentre() throws {
        centre.give(blob, in: Self.channel)
        centre.state.withLock { $0.lies[blob.hash] = [] }
        try want(blob)
        #expect(try run().failures.count == 1)
        #expect(centre.state.withLock { $0.calls } <= 5)
    }

    @Test("what is too large for this cell is not fetched")
    func tooLarge() throws {
        let large = SampleBlob(10_001, seed: 8)
        centre.give(large, in: Self.channel)
        try want(large)
        #expect(try run().failures.first?.contains("10001") == true)
        #expect(centre.state.withLock { $0.pieces } == [])
    }

    @Test("a full disk keeps what came, and the next run goes on from there")
    func diskFull() throws {
        centre.give(blob, in: Self.channel)
        try want(blob)
        files.setRoom(450)
        #expect(try run().failures.count == 1)
        files.setRoom(.max)
        centre.state.withLock { $0.pieces = [] }
        try settle()
        #expect(try plain.isGood(blob.hash) == true)
        #expect(centre.state.withLock { $0.pieces.reduce(0, +) } <= 600)
    }

    @Test("a run that is to end ends before its next piece, and counts as no failure")
    func stopped() throws {
        try attach(blob)
        let cancellation = Cancellation()
        cancellation.cancel()
        #expect(try run(cancellation: cancellation) == LaneReport())
        #expect(try state(blob) == transfer(blob, .up))
    }

    @Test("a store that was made anew offers again what it has rows and files of, and keeps the files")
    func madeAnew() throws {
        try attach(blob)
        try store.write { try $0.execute("DELETE FROM kenh_transfer") }
        var sync = AttachmentSync(store: store, files: files, link: centre)
        sync.wanted = { [self] in [transfer(blob, .up), transfer(other, .up)] }
        #expect(try sync.run().sent == 1)
        #expect(centre.has(blob, in: Self.channel))
        #expect(try plain.isGood(blob.hash) == true && store.transfers().count == 1)
    }
}
