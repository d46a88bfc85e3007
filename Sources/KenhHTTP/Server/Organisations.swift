import Foundation
import HTTPTypes
import Hummingbird
import KenhHub
import KenhProtocol
import Logging
import Synchronization

/// Where the organisations are that a process serves, each under a name.
public struct OrganisationSource: Sendable {
    /// Names that are there now.
    public let names: @Sendable () throws -> [String]
    /// The fingerprint of an organisation in hex, without opening more than has to be.
    public let fingerprint: @Sendable (String) throws -> String
    public let open: @Sendable (String) throws -> CentreParts

    public init(
        names: @escaping @Sendable () throws -> [String], fingerprint: @escaping @Sendable (String) throws -> String,
        open: @escaping @Sendable (String) throws -> CentreParts
    ) {
        (self.names, self.fingerprint, self.open) = (names, fingerprint, open)
    }
}

/// Several organisations' centres behind one address, each under `/NAME`. They share the process, its connections and
/// nothing else.
public final class Organisations: HTTPResponder {
    fileprivate enum State {
        case served(ServedOrganisation)
        /// Why not, for the administrator.
        case failed(String)
    }

    /// Requests of one organisation that are answered at the same time.
    static let requestLimit = 512
    /// Streams of one organisation.
    static let streamLimit = 1000

    private let source: OrganisationSource
    private let options: CentreServer.Options
    private let logger: Logger
    private let states = Mutex<[String: State]>([:])
    private let reloading = Mutex(())

    public init(_ source: OrganisationSource, options: CentreServer.Options, logger: Logger) {
        (self.source, self.logger) = (source, logger)
        var options = options
        options.wake.streamLimit = Self.streamLimit
        self.options = options
    }

    /// Lowercase letters, digits and hyphens, 1 to 63, of which the first is a letter or digit; not `v1` or `healthz`.
    public static func isName(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count) && name.utf8.first != 0x2D && !["v1", "healthz"].contains(name)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    // MARK: which are served

    /// Begins to serve what is new, ends what is gone, and tries again what could not be served. One that cannot be does
    /// not hold up others.
    ///
    /// - Throws: where the names cannot be read; all goes on as before.
    public func reload() throws {
        try reloading.withLock { _ in
            let names = Set(try source.names().filter(Self.isName))
            let before = states.withLock { $0 }
            for (name, state) in before where !names.contains(name) { end(name, state) }
            let served = before.filter { names.contains($0.key) && $0.value.isServed }
            let fresh = names.subtracting(served.keys)
            let (good, failures) = checked(fresh, beside: served)
            for (name, reason) in failures { fail(name, reason) }
            for name in good { begin(name) }
            logger.info(
                "organisations",
                metadata: ["served": "\(count(where: \.isServed))", "failed": "\(count { !$0.isServed })"])
        }
    }

    private func count(where isMeant: (State) -> Bool) -> Int { states.withLock { $0.values.count(where: isMeant) } }

    /// Two homes of one organisation would each give out its own log as the organisation's.
    private func checked(
        _ fresh: Set<String>, beside served: [String: State]
    ) -> (good: [String], failures: [(String, String)]) {
        var failures: [(String, String)] = []
        var found: [String: [String]] = [:]
        for name in fresh.sorted() {
            do { found[try source.fingerprint(name), default: []].append(name) } catch {
                failures.append((name, "\(error)"))
            }
        }
        let known = Dictionary(
            served.compactMap { name, state in
                if case .served(let one) = state { (one.centre.hub.identity.organisationText, name) } else { nil }
            }
        ) { first, _ in first }
        var good: [String] = []
        for (fingerprint, names) in found {
            let others = names + [known[fingerprint]].compactMap(\.self)
            guard others.count > 1 else {
                good += names
                continue
            }
            for name in names {
                let twins = others.filter { $0 != name }.sorted().joined(separator: ", ")
                failures.append((name, "it is the same organisation as \(twins); move the copy away"))
            }
        }
        return (good.sorted(), failures)
    }

    private func begin(_ name: String) {
        do {
            let parts = try source.open(name)
            var logger = logger
            logger[metadataKey: "organisation"] = "\(name)"
            let centre = ServedCentre(
                parts, wake: options.wake, viewIntervalSeconds: options.viewIntervalSeconds, logger: logger)
            centre.start()
            states.withLock { $0[name] = .served(ServedOrganisation(centre, parts)) }
            logger.info("serving")
        } catch { fail(name, "\(error)") }
    }

    private func fail(_ name: String, _ reason: String) {
        states.withLock { $0[name] = .failed(reason) }
        logger.error("an organisation is not served", metadata: ["organisation": "\(name)", "reason": "\(reason)"])
    }

    private func end(_ name: String, _ state: State) {
        states.withLock { $0[name] = nil }
        guard case .served(let organisation) = state else { return }
        organisation.end()
        logger.info("no longer served", metadata: ["organisation": "\(name)"])
    }

    /// Ends all streams, so that the server need not wait for them.
    func closeStreams() {
        for case .served(let organisation) in states.withLock({ $0.values }) { organisation.centre.closeStreams() }
    }

    /// Returns when all have ended.
    func stop() {
        reloading.withLock { _ in
            for (name, state) in states.withLock({ $0 }) { end(name, state) }
        }
    }

    /// Names of those that are served, and why others are not.
    public var overview: (served: [String], failed: [String: String]) {
        var overview: (served: [String], failed: [String: String]) = ([], [:])
        for (name, state) in states.withLock({ $0 }) {
            switch state {
            case .served: overview.served.append(name)
            case .failed(let reason): overview.failed[name] = reason
            }
        }
        overview.served.sort()
        return overview
    }

    // MARK: requests

    public func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let path = request.head.path ?? "/"
        if path == "/healthz" { return Self.plain(.ok, "ok\n") }
        let name = path.dropFirst().prefix { $0 != "/" && $0 != "?" }
        let rest = path.dropFirst(1 + name.count)
        let state = rest.first == "/" ? states.withLock { $0[String(name)] } : nil
        switch state {
        case nil:
            return try Self.problem(.notFound, "notFound", "there is nothing at this address; check it", .askAPerson)
        case .failed:
            return try Self.problem(
                .serviceUnavailable, "unavailable",
                "the centre cannot be served now; its administrator has to look at it",
                .retry)
        case .served(let organisation):
            // What a device signs begins behind the name: a proxy may have put that there, too.
            var head = request.head
            head.path = String(rest)
            return try await organisation.respond(to: Request(head: head, body: request.body), context: context)
        }
    }

    private static func plain(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(status: status, headers: [.contentType: "text/plain"], body: .init(byteBuffer: .init(string: text)))
    }

    /// Of nobody's key: whoever asks has no reason to believe it.
    private static func problem(
        _ status: HTTPResponse.Status, _ code: String, _ message: String, _ recovery: ProtocolError.Recovery
    ) throws -> Response {
        var wire = WireProblem()
        (wire.code, wire.message, wire.recovery) = (code, message, recovery.rawValue)
        return Response(
            status: status, headers: [.contentType: SignedExchange.contentType],
            body: .init(byteBuffer: .init(bytes: try WireCoding.encode(wire))))
    }
}

extension Organisations.State {
    fileprivate var isServed: Bool {
        if case .served = self { true } else { false }
    }
}

/// One of several, with its share of what is answered at once.
private final class ServedOrganisation: Sendable {
    let centre: ServedCentre
    private let parts: CentreParts
    private let condition = NSCondition()
    nonisolated(unsafe) private var running = 0
    nonisolated(unsafe) private var isClosed = false

    init(_ centre: ServedCentre, _ parts: CentreParts) { (self.centre, self.parts) = (centre, parts) }

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        guard enter() else {
            var response = try centre.refuse(
                request,
                HubError(.unavailable, "the centre has too much to do at once; try again", recovery: .retry))
            response.headers[.retryAfter] = "5"
            return response
        }
        defer { leave() }
        return try await centre.respond(to: request, context: context)
    }

    private func enter() -> Bool {
        condition.withLock {
            guard !isClosed, running < Organisations.requestLimit else { return false }
            running += 1
            return true
        }
    }

    private func leave() {
        condition.withLock {
            running -= 1
            if running == 0 { condition.broadcast() }
        }
    }

    /// Returns when what is being answered is answered, and its threads have ended.
    func end() {
        centre.closeStreams()
        condition.withLock {
            isClosed = true
            while running > 0 { condition.wait() }
        }
        centre.stop()
    }
}
