import Dispatch
import HTTPTypes
import Hummingbird
import KenhHub
import KenhProtocol
import Logging
import Metrics
import Synchronization

/// The streams of `GET /v1/wake`, and when to look for what they tell.
package final class WakeStreams: Sendable {
    let options: WakeOptions
    private let board: WakeBoard
    private let tenancy: Tenancy
    private let logger: Logger
    /// Looking at the log blocks on the disk, and may not wait for requests that do.
    private let queue = DispatchQueue(label: "kenh.wake")
    private let isLookDue = Atomic(false)

    package convenience init(hub: Hub, options: WakeOptions, logger: Logger) {
        self.init(hub: hub, options: options, tenancy: Tenancy(), logger: logger)
    }

    init(hub: Hub, options: WakeOptions, tenancy: Tenancy, logger: Logger) {
        self.options = options
        self.tenancy = tenancy
        self.logger = logger
        board = WakeBoard(hub: hub, limit: options.streamLimit)
    }

    /// Something may have been appended. Returns at once; calls that come together make one look.
    func wake() {
        guard !isLookDue.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.async { [self] in
            isLookDue.store(false, ordering: .releasing)
            do { try board.look() } catch {
                logger.error("devices were not woken", metadata: ["reason": "\(error)"])
            }
        }
    }

    var count: Int { board.listenerCount }

    /// Ends all streams, so that the server need not wait for them.
    func close() { board.close() }

    /// The answer to a device whose request was found good. It is not signed: it is no more than a hint.
    func open(for device: RegisteredDevice, _ request: Request) async throws -> Response {
        guard tenancy.hasRoomForStream() else {
            throw TooBusy(
                "the centre wakes as many devices as it can; the schedule does without",
                retryAfterSeconds: options.retryAfterSeconds)
        }
        let listener = try await withCheckedThrowingContinuation { continuation in
            queue.async { [board] in
                continuation.resume(with: Result { try Hub.translatingErrors { try board.listen(for: device) } })
            }
        }
        Gauge(label: "kenh_hub_wake_streams", dimensions: tenancy.dimensions).record(board.listenerCount)
        var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
        // Proxies that gather answers before they pass them on would gather this one for ever.
        if let name = HTTPField.Name("x-accel-buffering") { headers[name] = "no" }
        return Response(status: .ok, headers: headers, body: body(to: listener, until: request.body))
    }
}
