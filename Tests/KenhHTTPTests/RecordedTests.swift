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
import Testing

/// What cells and centres of earlier versions said to each other: this version's centre answers those cells, and this
/// version's store reads those answers.
@Suite("What was recorded") struct RecordedTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Recorded")
        .standardizedFileURL
    static let versions: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { FileManager.default.fileExists(atPath: folder.path + "/\($0)/exchange.json") }.sorted()
    }()

    private struct Exchange: Decodable {
        let method: String
        let path: String
        let headers: [[String]]
        let body: Data
        let status: Int
        let answerHeaders: [[String]]
        let answer: Data

        func header(_ name: String) -> String { headers.first { $0[0].lowercased() == name }?[1] ?? "" }
        func answerHeader(_ name: String) -> String? { answerHeaders.first { $0[0].lowercased() == name }?[1] }
        var route: String { String(path.prefix { $0 != "?" }) }

        /// Unix seconds by the sender's clock.
        var created: Int64 {
            let text = header("signature-input")
            guard let range = text.range(of: "created=") else { return 0 }
            return Int64(text[range.upperBound...].prefix { $0.isNumber }) ?? 0
        }

        var message: Message {
            let names: Set = ["content-type", "content-digest", "kenh-organisation", "signature-input", "signature"]
            return Message(
                method: method, path: path,
                headers: headers.filter { names.contains($0[0].lowercased()) }.map { ($0[0], $0[1]) },
                body: body.isEmpty ? nil : Array(body),
                nonce: RequestSignature.claimedNonce(in: header("signature-input")))
        }
    }

    /// What one version left, unpacked.
    private final class Recording {
        let home = FileManager.default.temporaryDirectory.appending(path: "kenh-recorded-\(UUID().uuidString)")
        let exchanges: [Exchange]
        let expected: [String: Expected]

        struct Expected: Decodable {
            let digests: [String: String]
        }

        init(_ version: String) throws {
            let folder = RecordedTests.folder.appending(path: version)
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            let tar = Process()
            tar.executableURL = URL(filePath: "/usr/bin/env")
            tar.arguments = ["tar", "-xzf", folder.appending(path: "homes.tar.gz").path, "-C", home.path]
            try tar.run()
            tar.waitUntilExit()
            try #require(tar.terminationStatus == 0)
            exchanges = try JSONDecoder().decode(
                [Exchange].self, from: Data(contentsOf: folder.appending(path: "exchange.json")))
            expected = try JSONDecoder().decode(
                [String: Expected].self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        }

        deinit { try? FileManager.default.removeItem(at: home) }

        func enrolments() throws -> [WireEnrollResponse] {
            try exchanges.filter { $0.route == "/v1/enroll" }.map {
                try WireCoding.decode(WireEnrollResponse.self, from: Array($0.answer))
            }
        }

        func log() throws -> SQLiteLog {
            try SQLiteLog(
                path: home.appending(path: "centre/log.db").path, newEpoch: [UInt8](repeating: 1, count: 16),
                archives: ArchiveShelf(home.appending(path: "centre/archives")))
        }

        func certificates(_ log: SQLiteLog) throws -> ServingCertificates {
            let enrolments = try enrolments()
            let root = try PublicKey(bytes: try #require(enrolments.first).rootKey)
            let later = try log.read { try $0.servingCertificates() }
            return try ServingCertificates(enrolments.map(\.servingCertificate) + later, root: root)
        }
    }

    @Test("a request of a cell of that time is answered by this centre", arguments: versions)
    func requests(_ version: String) async throws {
        let recording = try Recording(version)
        let log = try recording.log()
        let hex = try String(
            contentsOf: recording.home.appending(path: "centre/keys/serving.key"), encoding: .utf8)
        let key = try SigningKey(bytes: try #require([UInt8](hex: hex.prefix(64))))
        let identity = try #require(HubIdentity(try recording.certificates(log), servingKey: key))
        let clock = ManualClock(milliseconds: 0)
        let hub = Hub(log: log, identity: identity, clock: { clock.milliseconds })
        hub.offerSnapshots(from: SnapshotShelf(folder: recording.home.appending(path: "centre/snapshots")))
        let size = try hub.size()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let router = SyncAPI(hub: hub, logger: logger) {}.router()
        var routes: Set<String> = []
        for exchange in recording.exchanges where !exchange.route.hasPrefix("/v1/blobs") {
            clock.milliseconds = exchange.created * 1000
            let response = try await Application(router: router, logger: logger).test(.router) {
                try await Centre.Client(client: $0).send(exchange.message)
            }
            #expect(Int(response.status.code) == exchange.status, "\(exchange.method) \(exchange.path)")
            routes.insert(exchange.route)
        }
        #expect(routes.isSuperset(of: ["/v1/enroll", "/v1/sync", "/v1/keys"]))
        #expect(try hub.size() == size, "nothing is entered twice")
        #expect(try LogVerifier(identity: identity).verify(log).problems == [])
    }

    @Test("the centre's answers of that time are read, and make the rows that they made then", arguments: versions)
    func answers(_ version: String) throws {
        let recording = try Recording(version)
        let keys = try recording.certificates(try recording.log()).keys
        var random = SeededGenerator(seed: 1)
        let organisation = try #require(try recording.enrolments().first.map { try PublicKey(bytes: $0.rootKey) })
            .organisationFingerprint
        var stores: [String: (store: Store, identity: StoreIdentity)] = [:]
        for exchange in recording.exchanges {
            try check(exchange, keys)
            guard exchange.route == "/v1/sync", exchange.status == 200 else { continue }
            let request = try WireCoding.decode(WireSyncRequest.self, from: Array(exchange.body))
            let response = try WireCoding.decode(WireSyncResponse.self, from: Array(exchange.answer))
            let signer = try #require(RequestSignature.claimedKeyID(in: exchange.header("signature-input"))).hex
            if stores[signer] == nil {
                stores[signer] = (
                    try Store(
                        path: recording.home.appending(path: "\(signer).db").path, schema: try Schema([])),
                    StoreIdentity(
                        organisation: organisation, replica: .random(using: &random),
                        key: try SigningKey(using: &random))
                )
            }
            let (store, identity) = try #require(stores[signer])
            // It asked again, since it had yet to learn the key of the answer before.
            let known = Dictionary(try store.cursors().map { ($0.channel, $0.sequence) }) { $1 }
            let isBehind = request.cursors.contains { known[$0.channel] ?? 0 > $0.sequence }
            if isBehind || (request.cursors.isEmpty && known.values.contains { $0 > 0 }) { continue }
            let own = try request.blocks.map { try Block($0) }.map {
                Delivery.Item(hash: $0.hash, block: $0, acceptance: nil)
            }
            _ = try store.take(Delivery(items: own), as: identity)
            var follower = LogFollower(
                serving: keys, organisation: organisation, cursors: try store.cursors(),
                knownKey: { try store.deviceKey(of: $0) })
            _ = try store.take(follower.follow(response.entries, epoch: Array(response.epoch)), as: identity)
            try follower.agree(with: response.heads)
        }
        let digests = try stores.values.map { try $0.store.settledDigests().mapValues { $0.bytes.hex } }
        for name in ["CB1", "CB2"] {
            let expected = try #require(recording.expected[name]).digests.filter { !$0.key.hasPrefix("kenh/") }
            #expect(
                digests.contains { digests in expected.allSatisfy { digests[$0.key] == $0.value } },
                "\(name): \(expected) is not in \(digests)")
        }
    }

    /// Signature and form of an answer.
    private func check(_ exchange: Exchange, _ keys: ServingKeys) throws {
        // Questions without a signature name their nonce in the query.
        guard !exchange.header("signature-input").isEmpty else { return }
        let digest = try #require(exchange.answerHeader("content-digest"), "\(exchange.path)")
        try ContentDigest.verify(digest, content: Array(exchange.answer))
        let parts = ResponseParts(
            status: exchange.status, contentType: try #require(exchange.answerHeader("content-type")),
            contentDigest: digest, requestMethod: exchange.method, requestPath: exchange.route)
        let headers = SignatureHeaders(
            signatureInput: try #require(exchange.answerHeader("signature-input")),
            signature: try #require(exchange.answerHeader("signature")))
        let nonce = RequestSignature.claimedNonce(in: exchange.header("signature-input"))
        let isGood = ([keys.current] + keys.earlier).contains {
            (try? ResponseSignature.verify(parts, headers, key: $0, nonce: nonce)) != nil
        }
        #expect(isGood, "\(exchange.method) \(exchange.path)")
    }
}
