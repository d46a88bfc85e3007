import Dispatch
import HTTPTypes
import Hummingbird
import KenhHub
import KenhProtocol
import Logging
import Metrics

/// The sync API over a hub: `POST /v1/enroll`, `/v1/sync`, `/v1/reconcile`, `/v1/proof`, `GET /v1/keys`, `/v1/time`,
/// `/v1/wake`, `/v1/snapshots`, `PUT` and `GET /v1/blobs/…`, `GET /healthz` and `/readyz`.
public struct SyncAPI: Sendable {
    public static let enrollLimitBytes = 64 << 10

    let hub: Hub
    private let exchange: SignedExchange
    /// Of metrics.
    let dimensions: [(String, String)]
    private let logger: Logger
    /// Told after each request that may have appended to the log.
    private let onAppend: @Sendable () -> Void
    private let streams: WakeStreams
    /// The hub's calls block on the disk; they run here, one after another, and not on the cooperative threads.
    private let queue = DispatchQueue(label: "kenh.hub")
    private let blobs: HubBlobs?
    /// Attachments have a queue of their own, so that a disk that is busy with them holds up no sync.
    private let blobQueue = DispatchQueue(label: "kenh.blobs")

    /// - Parameter blobs: nil of a centre that takes no attachments.
    public init(
        hub: Hub, blobs: HubBlobs? = nil, logger: Logger, onAppend: @escaping @Sendable () -> Void
    ) {
        let streams = WakeStreams(hub: hub, options: WakeOptions(), logger: logger)
        self.init(
            hub: hub, streams: streams, blobs: blobs, tenancy: Tenancy(), logger: logger, onAppend: onAppend)
    }

    init(
        hub: Hub, streams: WakeStreams, blobs: HubBlobs?, tenancy: Tenancy, logger: Logger,
        onAppend: @escaping @Sendable () -> Void
    ) {
        self.hub = hub
        self.streams = streams
        self.blobs = blobs
        dimensions = tenancy.dimensions
        self.logger = logger
        self.onAppend = {
            streams.wake()
            onAppend()
        }
        exchange = SignedExchange(hub: hub, memory: tenancy.memory)
    }

    public func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/readyz") { _, _ in try await ready() }
        router.get("/v1/keys") { request, _ in try await answer(request) { try WireCoding.encode(hub.keys()) } }
        router.get("/v1/time") { request, _ in try await answer(request) { try WireCoding.encode(hub.time()) } }
        router.post("/v1/enroll") { request, _ in try await respond(to: request, enroll) }
        router.post("/v1/sync") { request, _ in try await respond(to: request, sync) }
        router.post("/v1/reconcile") { request, _ in try await respond(to: request, reconcile) }
        router.post("/v1/proof") { request, _ in try await respond(to: request, proof) }
        router.get("/v1/wake") { request, _ in try await wake(request) }
        addSnapshots(to: router)
        if let blobs { addBlobs(blobs, to: router) }
        return router
    }

    /// Whether the log can be read and answers be signed, for whoever watches the centre.
    private func ready() async throws -> Response {
        var isReady = true
        do { _ = try await onQueue { try hub.keys() } } catch {
            isReady = false
            logger.error("the centre is not ready", metadata: ["reason": "\(error)"])
        }
        return Response(
            status: isReady ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain"],
            body: .init(byteBuffer: .init(string: isReady ? "ready\n" : "not ready\n")))
    }

    private func enroll(_ request: Request) async throws -> (SignedRequest, [UInt8]) {
        try exchange.checkLength(of: request, limit: Self.enrollLimitBytes)
        // The device is not known yet: it signs with the key that it wants to be known by.
        let signed = try exchange.verify(request, allowsUnknownOrganisation: true) { try PublicKey(bytes: $0) }
        let body = try await exchange.body(of: request, signed: signed, limit: Self.enrollLimitBytes)
        let message = try WireCoding.decode(WireEnrollRequest.self, from: body)
        let isHello = message.proof.isEmpty && message.replaces.isEmpty
        guard isHello || message.deviceKey.elementsEqual(signed.keyID) else {
            throw ProtocolError(.badSignature, "the request is not signed by the key that it enrols")
        }
        let response = try await onQueue { try hub.enroll(message) }
        if !isHello {
            onAppend()
            logger.info("device enrolled", metadata: ["cell": "\(response.cell)"])
        }
        return (signed, try WireCoding.encode(response))
    }

    /// A request that only a registered device may make.
    func open(
        _ request: Request, limit: Int, contentType: String = SignedExchange.contentType
    ) async throws -> (signed: SignedRequest, device: RegisteredDevice, body: [UInt8]) {
        let (signed, device) = try identify(request, limit: limit, contentType: contentType)
        // A request by GET has no content that could have been signed for.
        guard request.method != .get else { return (signed, device, []) }
        return (signed, device, try await exchange.body(of: request, signed: signed, limit: limit))
    }

    private func identify(
        _ request: Request, limit: Int, contentType: String = SignedExchange.contentType
    ) throws -> (signed: SignedRequest, device: RegisteredDevice) {
        try exchange.checkLength(of: request, limit: limit)
        var device: RegisteredDevice?
        let signed = try exchange.verify(
            request, contentType: contentType, allowsUnknownOrganisation: false
        ) { keyID in
            device = try hub.device(keyID)
            // A log that was restored from before this device's enrolment learns it again from the device itself.
            guard let device else { throw Self.unknownDevice }
            return device.key
        }
        guard let device else { throw Self.unknownDevice }
        return (signed, device)
    }

    private func wake(_ request: Request) async throws -> Response {
        do {
            return try await streams.open(for: try identify(request, limit: 0).device, request)
        } catch {
            var answer = try refusal(of: request, error)
            if answer.status == .serviceUnavailable {
                answer.headers[.retryAfter] = String(streams.options.retryAfterSeconds)
            }
            return answer
        }
    }

    private func proof(_ request: Request) async throws -> (SignedRequest, [UInt8]) {
        let (signed, device, body) = try await open(request, limit: Self.enrollLimitBytes)
        let message = try WireCoding.decode(WireProofRequest.self, from: body)
        return (signed, try await onQueue { try WireCoding.encode(try hub.proof(message, for: device)) })
    }

    private func sync(_ request: Request) async throws -> (SignedRequest, [UInt8]) {
        let (signed, device, body) = try await open(request, limit: Limits.requestBytes)
        let message = try WireCoding.decode(WireSyncRequest.self, from: body)
        let answer = try await onQueue { try WireCoding.encode(try hub.sync(message, from: device)) }
        if !message.blocks.isEmpty { onAppend() }
        Counter(label: "kenh_hub_blocks_received", dimensions: dimensions).increment(by: message.blocks.count)
        return (signed, answer)
    }

    private static let unknownDevice = ProtocolError(
        .unknownDevice, "the device is not registered", recovery: .resync)

    private func reconcile(_ request: Request) async throws -> (SignedRequest, [UInt8]) {
        try exchange.checkLength(of: request, limit: Limits.requestBytes)
        // Only who is known already may send much.
        var limit = Self.enrollLimitBytes
        let signed = try exchange.verify(request, allowsUnknownOrganisation: false) { keyID in
            if try hub.device(keyID) != nil { limit = Limits.requestBytes }
            return try PublicKey(bytes: keyID)
        }
        let body = try await exchange.body(of: request, signed: signed, limit: limit)
        let message = try WireCoding.decode(WireReconcileRequest.self, from: body)
        let key = try PublicKey(bytes: signed.keyID)
        let answer = try await onQueue { try WireCoding.encode(try hub.reconcile(message, from: key)) }
        if !message.handedBack.isEmpty { onAppend() }
        logger.notice("a device compares logs", metadata: ["entries": "\(message.handedBack.count)"])
        return (signed, answer)
    }

    private func onQueue<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await run(on: queue, body)
    }

    func onBlobQueue<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await run(on: blobQueue, body)
    }

    private func run<T: Sendable>(
        on queue: DispatchQueue, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [hub] in
                continuation.resume(
                    with: Result {
                        try Hub.translatingErrors {
                            try hub.refreshIdentity()
                            return try body()
                        }
                    })
            }
        }
    }

    /// Anybody may ask; the answer is signed for the nonce that the query names.
    private func answer(
        _ request: Request, _ body: @escaping @Sendable () throws -> [UInt8]
    ) async throws -> Response {
        let nonce = request.uri.queryParameters["nonce"].flatMap { Nonce(text: String($0)) }
        do {
            let bytes = try await onQueue(body)
            return try exchange.answer(bytes, status: .ok, to: request, nonce: nonce)
        } catch {
            let problem = HTTPProblem(error, time: hub.now())
            return try exchange.answer(
                try WireCoding.encode(problem.wire), status: problem.status, to: request, nonce: nonce)
        }
    }

    /// - Parameter contentType: of an answer of success; problems are messages.
    func respond(
        to request: Request, contentType: String = SignedExchange.contentType,
        _ handle: (Request) async throws -> (SignedRequest, [UInt8])
    ) async throws -> Response {
        do {
            let (signed, body) = try await handle(request)
            return try exchange.answer(
                body, contentType: contentType, status: .ok, to: request, nonce: signed.nonce)
        } catch { return try refusal(of: request, error) }
    }

    func refusal(of request: Request, _ error: any Error) throws -> Response {
        let problem = HTTPProblem(error, time: hub.now())
        logger.notice(
            "request refused",
            metadata: ["path": "\(request.uri.path)", "status": "\(problem.status.code)", "reason": "\(error)"])
        var answer = try exchange.answer(
            try WireCoding.encode(problem.wire), status: problem.status, to: request,
            nonce: exchange.claimedNonce(request))
        if let busy = error as? TooBusy { answer.headers[.retryAfter] = String(busy.retryAfterSeconds) }
        return answer
    }
}
