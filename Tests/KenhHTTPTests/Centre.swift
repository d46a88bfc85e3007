import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Logging
import NIOCore
import Synchronization
import Testing

/// A centre behind its routes, without a socket, with a clock and keys of the test's own.
final class Centre: Sendable {
    static let start: Int64 = 1_760_000_000_000

    let clock = ManualClock(milliseconds: Centre.start)
    let hub: Hub
    let log: SQLiteLog
    let appends = Mutex(0)
    let blobs: HubBlobs
    let folder: URL

    init(seed: UInt64 = 1) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "kenh-http-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var random = SeededGenerator(seed: seed)
        let (root, serving) = (try SigningKey(using: &random), try SigningKey(using: &random))
        let certificate = try ServingCertificate(
            organisation: root.publicKey.organisationFingerprint, servingKey: serving.publicKey,
            notBeforeMilliseconds: 0, notAfterMilliseconds: .max, name: "Đảng bộ Trường"
        ).signed(by: root)
        log = try SQLiteLog(
            path: folder.appending(path: "log.db").path, newEpoch: [UInt8](repeating: 7, count: 16),
            archives: ArchiveShelf(folder.appending(path: "archives")))
        hub = Hub(
            log: log, identity: HubIdentity(rootKey: root.publicKey, certificate: certificate, servingKey: serving),
            clock: { [clock] in clock.milliseconds })
        let shelf = BlobShelf(
            index: try SQLiteBlobIndex(path: folder.appending(path: "index.db").path),
            files: BlobFolder(path: folder.appending(path: "blobs").path),
            rules: BlobRules(limitBytes: 3 << 20), clock: { [clock] in clock.milliseconds })
        blobs = HubBlobs(hub: hub, shelf: shelf)
        try hub.addCell(code: "CB1", name: "Chi bộ 1")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Runs requests one after another against the router.
    func serve<T>(_ body: @Sendable (Client) async throws -> T) async throws -> T {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let api = SyncAPI(hub: hub, blobs: blobs, logger: logger) { [weak self] in self?.appends.withLock { $0 += 1 } }
        let application = Application(router: api.router(), logger: logger)
        return try await application.test(.router) { try await body(Client(client: $0)) }
    }

    struct Client {
        let client: any TestClientProtocol

        func send(_ message: Message) async throws -> TestResponse {
            var fields = HTTPFields()
            for (name, value) in message.headers {
                guard let name = HTTPField.Name(name), !(name == .contentType && value.isEmpty) else { continue }
                fields.append(HTTPField(name: name, value: value))
            }
            return try await client.execute(
                uri: message.path + message.query, method: HTTPRequest.Method(message.method) ?? .post, headers: fields,
                body: message.body.map { ByteBuffer(bytes: $0) })
        }
    }

    /// A device that has joined.
    func joined(_ seed: UInt64) throws -> Device {
        let device = try Device(seed: seed, organisation: hub.identity.organisation)
        _ = try hub.enroll(device.enrolment(with: hub.issueCode(cell: "CB1")))
        return device
    }

    /// The body of an answer, once its signature was found to be the centre's for just this request.
    func open(_ response: TestResponse, to message: Message) throws -> [UInt8] {
        try open(
            response.status.code, Array(response.body.readableBytesView), to: message,
            field: { name in HTTPField.Name(name).flatMap { response.headers[$0] } })
    }

    func open(
        _ status: Int, _ body: [UInt8], to message: Message, field value: (String) -> String?
    ) throws -> [UInt8] {
        func field(_ name: String) throws -> String {
            try #require(value(name), "the answer has no \(name)")
        }
        let digest = try field("content-digest")
        try ContentDigest.verify(digest, content: body)
        let parts = ResponseParts(
            status: status, contentType: try field("content-type"), contentDigest: digest,
            requestMethod: message.method, requestPath: message.path)
        let headers = SignatureHeaders(signatureInput: try field("signature-input"), signature: try field("signature"))
        try ResponseSignature.verify(parts, headers, key: hub.identity.servingKey.publicKey, nonce: message.nonce)
        return body
    }

    func problem(_ response: TestResponse, to message: Message) throws -> WireProblem {
        try WireCoding.decode(WireProblem.self, from: try open(response, to: message))
    }
}

/// A request, to be spoilt by tests as they like.
struct Message: Sendable {
    var method = "POST"
    var path: String
    /// With its question mark, or empty.
    var query = ""
    var headers: [(String, String)]
    var body: [UInt8]?
    var nonce: Nonce?

    subscript(_ name: String) -> String {
        get { headers.first { $0.0 == name }?.1 ?? "" }
        set {
            headers.removeAll { $0.0 == name }
            headers.append((name, newValue))
        }
    }

    mutating func remove(_ name: String) { headers.removeAll { $0.0 == name } }
}
