import Foundation
import KenhCell
import KenhProtocol
import KenhStore
import Synchronization

/// Cells that sync over loopback, a number of them at a time.
struct LoadClients {
    let centre: LoadCentre
    let port: Int
    let connections: Int

    struct Result: Sendable {
        var seconds = 0.0
        var latencies: [Double] = []
        var refusals: [String] = []

        func quantile(_ part: Double) -> Double { latencies.quantile(part) }
    }

    func drain(_ cells: [LoadCell]) throws -> Result {
        let queue = Mutex(cells[...])
        let result = Mutex(Result())
        let started = Date()
        let group = DispatchGroup()
        for _ in 0..<connections {
            group.enter()
            let thread = Thread {
                work(queue: { queue.withLock { $0.popFirst() } }) { seconds, refusal in
                    result.withLock {
                        $0.latencies.append(seconds)
                        if let refusal { $0.refusals.append(refusal) }
                    }
                }
                group.leave()
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        group.wait()
        return result.withLock {
            $0.seconds = Date().timeIntervalSince(started)
            return $0
        }
    }

    private func work(queue: () -> LoadCell?, _ note: (Double, String?) -> Void) {
        guard let transport = try? CurlTransport(CurlOptions(baseURL: "http://127.0.0.1:\(port)")) else {
            return note(0, "no transport")
        }
        while let cell = queue() {
            let client = CentreClient(
                transport: transport, key: cell.key, organisation: centre.organisation, clock: Store.wallClock)
            let before = Date()
            var refusal: String?
            do {
                let response = try client.sync(cell.request, centre: centre.servingKey)
                let isAccepted = response.receipts.allSatisfy { $0.verdict == .accepted }
                if !isAccepted || response.receipts.count != cell.request.blocks.count {
                    refusal = response.receipts.first?.message ?? "no receipt"
                }
            } catch { refusal = "\(error)" }
            note(Date().timeIntervalSince(before), refusal)
        }
    }
}

/// Asks the centre for its health ten times a second, as somebody would who opens a page meanwhile.
final class Probe: Sendable {
    private let transport: CurlTransport
    private let latencies = Mutex<[Double]>([])
    private let isStopped = Mutex(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    init(port: Int) throws { transport = try CurlTransport(CurlOptions(baseURL: "http://127.0.0.1:\(port)")) }

    func start() {
        Thread.detachNewThread { [self] in
            while !isStopped.withLock({ $0 }) {
                let before = Date()
                _ = try? transport.send(HTTPCall(method: "GET", path: "/healthz", bodyLimitBytes: 1024))
                latencies.withLock { $0.append(Date().timeIntervalSince(before)) }
                Thread.sleep(forTimeInterval: 0.1)
            }
            hasEnded.signal()
        }
    }

    func stop() {
        isStopped.withLock { $0 = true }
        hasEnded.wait()
    }

    func quantile(_ part: Double) -> Double { latencies.withLock { $0.quantile(part) } }
}
