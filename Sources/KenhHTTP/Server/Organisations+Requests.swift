import HTTPTypes
import Hummingbird
import KenhProtocol

extension Organisations {
    public func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let path = request.head.path ?? "/"
        switch path {
        case "/healthz": return Self.plain(.ok, "ok\n")
        case "/readyz": return ready
        default: break
        }
        let name = path.dropFirst().prefix { $0 != "/" && $0 != "?" }
        let rest = path.dropFirst(1 + name.count)
        switch rest.first == "/" ? state(of: String(name)) : nil {
        case nil:
            return try Self.problem(.notFound, "notFound", "there is nothing at this address; check it", .askAPerson)
        case .failed:
            var response = try Self.problem(
                .serviceUnavailable, "unavailable",
                "the centre cannot be served now; its administrator has to look at it", .retry)
            response.headers[.retryAfter] = "60"
            return response
        case .served(let organisation):
            // What a device signs begins behind the name: a proxy may have put that there, too.
            var head = request.head
            head.path = String(rest)
            return try await organisation.respond(to: Request(head: head, body: request.body), context: context)
        }
    }

    /// How many there are and no names: anybody may ask.
    private var ready: Response {
        let (served, failed) = overview
        return Self.plain(
            served.isEmpty && !failed.isEmpty ? .serviceUnavailable : .ok,
            "served \(served.count)\nfailed \(failed.count)\n")
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
