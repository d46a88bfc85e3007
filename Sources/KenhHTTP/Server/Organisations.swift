import Foundation
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
    /// Which files a name means: of others under the same name it is another text.
    public let place: @Sendable (String) throws -> String

    public init(
        names: @escaping @Sendable () throws -> [String], fingerprint: @escaping @Sendable (String) throws -> String,
        open: @escaping @Sendable (String) throws -> CentreParts, place: @escaping @Sendable (String) throws -> String
    ) {
        (self.names, self.fingerprint, self.open, self.place) = (names, fingerprint, open, place)
    }
}

/// Several organisations' centres behind one address, each under `/NAME`. They share the process, its connections and
/// nothing else.
public final class Organisations: HTTPResponder {
    enum State {
        case served(ServedOrganisation)
        /// Why not, for the administrator.
        case failed(String)
    }

    private static let namesOfRoutes: Set = ["v1", "healthz", "readyz", "metrics"]

    private let source: OrganisationSource
    private let options: CentreServer.Options
    private let share: OrganisationShare
    private let logger: Logger
    private let states = Mutex<[String: State]>([:])
    private let reloading = Mutex(())

    /// - Parameter options: its limit of streams is that of all together.
    public init(
        _ source: OrganisationSource, options: CentreServer.Options, share: OrganisationShare = OrganisationShare(),
        logger: Logger
    ) {
        (self.source, self.options, self.share, self.logger) = (source, options, share, logger)
    }

    /// Lowercase letters, digits and hyphens, 1 to 63, of which the first is a letter or digit; not `v1` nor another name
    /// that this server has for itself.
    public static func isName(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count) && name.utf8.first != 0x2D && !namesOfRoutes.contains(name)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    // MARK: which are served

    /// Begins to serve what is new, ends what is gone or was exchanged for other files, and tries again what could not be
    /// served. One that cannot be does not hold up others.
    ///
    /// - Throws: where the names cannot be read; all goes on as before.
    public func reload() throws {
        try reloading.withLock { _ in
            let names = Set(try source.names().filter(Self.isName))
            endOthers(than: names)
            let served = states.withLock { $0.filter(\.value.isServed) }
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

    /// Nothing of them may be held when this returns: a home that was renamed is locked until then.
    private func endOthers(than names: Set<String>) {
        for (name, state) in states.withLock({ $0 }) where !names.contains(name) || isExchanged(name, state) {
            end(name, state)
        }
    }

    /// Whoever goes on writing into files that were moved away acknowledges what nobody will find.
    private func isExchanged(_ name: String, _ state: State) -> Bool {
        guard case .served(let organisation) = state else { return false }
        return (try? source.place(name)) != organisation.place
    }

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
            // A log that there was not yet is there now.
            let place = try source.place(name)
            var logger = logger
            logger[metadataKey: "organisation"] = "\(name)"
            var wake = options.wake
            wake.streamLimit = min(wake.streamLimit, share.streamLimit)
            let centre = ServedCentre(
                parts, wake: wake, viewIntervalSeconds: options.viewIntervalSeconds, tenancy: tenancy(of: name),
                logger: logger)
            centre.start()
            let served = ServedOrganisation(centre, parts, at: place, share: share)
            states.withLock { $0[name] = .served(served) }
            logger.info("serving")
        } catch { fail(name, "\(error)") }
    }

    private func tenancy(of name: String) -> Tenancy {
        var tenancy = Tenancy(name: name, memory: BodyMemory(limitBytes: share.bodyLimitBytes))
        // Streams of many organisations may not take the connections that requests need.
        tenancy.hasRoomForStream = { [weak self, limit = options.wake.streamLimit] in
            (self?.streamCount ?? 0) < limit
        }
        return tenancy
    }

    private func fail(_ name: String, _ reason: String) {
        states.withLock { $0[name] = .failed(reason) }
        logger.error("an organisation is not served", metadata: ["organisation": "\(name)", "reason": "\(reason)"])
    }

    private func end(_ name: String, _ state: State) {
        states.withLock { $0[name] = nil }
        guard case .served(let organisation) = state else { return }
        if organisation.end() {
            logger.info("no longer served", metadata: ["organisation": "\(name)"])
        } else {
            logger.notice(
                "no longer served, but for requests that take long; its home is in use as long as they do",
                metadata: ["organisation": "\(name)"])
        }
    }

    func state(of name: String) -> State? { states.withLock { $0[name] } }

    private var served: [ServedOrganisation] {
        states.withLock { states in
            states.values.compactMap { if case .served(let organisation) = $0 { organisation } else { nil } }
        }
    }

    /// Ends all streams, so that the server need not wait for them.
    func closeStreams() { for organisation in served { organisation.centre.closeStreams() } }

    /// Of all together.
    private var streamCount: Int { served.reduce(0) { $0 + $1.centre.streamCount } }

    /// Returns when all have ended.
    func stop() {
        reloading.withLock { _ in
            for (name, state) in states.withLock({ $0 }) { end(name, state) }
        }
    }

    /// What an organisation takes now; nil of one that is not served.
    package func load(of name: String) -> (requests: Int, bodyBytes: Int, streams: Int)? {
        guard case .served(let one) = state(of: name) else { return nil }
        return (one.requestCount, one.centre.bodyBytes, one.centre.streamCount)
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
}

extension Organisations.State {
    var isServed: Bool {
        if case .served = self { true } else { false }
    }
}
