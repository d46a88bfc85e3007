import Dispatch
import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhStore
import KenhTesting

/// Step W: one block to a thousand devices that listen, beside what one message takes on the same machine.
struct FanOutStep {
    /// An empty folder of this run's own, removed after it.
    let folder: String

    private static let deviceCount = 1000
    private static let blockCount = 20
    private static let callCount = 200
    private static let rows = ItemRows(count: 100, version: 0)
    private static let updates = ItemRows(count: 100, version: 1)

    func run() async throws -> [Sample] {
        OpenFiles.allow(4 * Self.deviceCount)
        let centre = try BenchCentre(folder: folder)
        return try await centre.serving { port in
            // The server needs the threads of tasks for itself.
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread { continuation.resume(with: Result { try samples(centre, port) }) }
            }
        }
    }

    private func samples(_ centre: BenchCentre, _ port: Int) throws -> [Sample] {
        let organisation = centre.hub.identity.organisation
        let audience = try WakeAudience(Self.deviceCount, of: "BENCH", in: centre.log, organisation: organisation)
        let writer = try BenchCell(folder + "/writer.db", centre: centre, port: port)
        let table = ItemTable(database: try RawDatabase(writer.store.path))
        try table.insert(Self.rows)
        try writer.sync()
        try audience.open(port: port, now: Store.wallClock())
        return [try roundTrip(port), try fanOut(from: writer, table, to: audience)]
    }

    private func roundTrip(_ port: Int) throws -> Sample {
        let transport = try CurlTransport(CurlOptions(baseURL: "http://127.0.0.1:\(port)"))
        return try sample(.roundTrip, of: Self.callCount) { _ in
            let before = Sample.wallSeconds
            _ = try transport.send(HTTPCall(method: "GET", path: "/healthz", bodyLimitBytes: 100))
            return Sample.wallSeconds - before
        }
    }

    /// What the writer does once its block is in the log is its own matter, and not timed.
    private func fanOut(from writer: BenchCell, _ table: ItemTable, to audience: WakeAudience) throws -> Sample {
        try sample(.fanOut, of: Self.blockCount) { number in
            try table.update(row: number, of: Self.updates)
            let before = Sample.wallSeconds
            let sending = Sending(writer)
            try audience.hear("event: moved\ndata: ")
            let seconds = Sample.wallSeconds - before
            try sending.wait()
            return seconds
        }
    }

    /// A sync on a thread of its own.
    private final class Sending: @unchecked Sendable {
        private let isDone = DispatchSemaphore(value: 0)
        private let writer: BenchCell
        /// Read only after the semaphore was signalled.
        private var failure: (any Error)?

        init(_ writer: BenchCell) {
            self.writer = writer
            Thread.detachNewThread { [self] in
                do { try self.writer.sync() } catch { failure = error }
                isDone.signal()
            }
        }

        func wait() throws {
            isDone.wait()
            if let failure { throw failure }
        }
    }

    /// - Parameter seconds: of one time.
    private func sample(_ step: Step, of count: Int, _ seconds: (Int) throws -> Double) throws -> Sample {
        let (start, cpu) = (Sample.wallSeconds, Sample.cpuSeconds)
        let milliseconds = try (0..<count).map { try seconds($0) * 1000 }
        return Sample(
            step, value: Summary.median(milliseconds), wallSeconds: Sample.wallSeconds - start,
            cpuSeconds: Sample.cpuSeconds - cpu)
    }
}
