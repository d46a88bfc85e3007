import KenhMerge
import KenhProtocol

/// A message as it travels: its bytes, the request that it belongs to, and a digest over both, which stands for the
/// signatures of the HTTP exchange.
public struct Parcel: Sendable {
    public enum Route: Sendable { case sync, reconcile }

    public var route = Route.sync
    public var body: [UInt8]
    public var nonce: UInt64
    public var digest: String

    public init(_ body: [UInt8], nonce: UInt64, route: Route = .sync) {
        self.route = route
        self.body = body
        self.nonce = nonce
        digest = ContentDigest.header(for: nonce.bigEndianBytes + body)
    }

    /// The bytes, if they came as they were sent and belong to the request.
    /// - Throws: `ProtocolError`.
    public func opened(for request: UInt64? = nil) throws(ProtocolError) -> [UInt8] {
        try ContentDigest.verify(digest, content: nonce.bigEndianBytes + body)
        guard request == nil || request == nonce else {
            throw ProtocolError(.staleRequest, "the answer is one to another request", recovery: .retry)
        }
        return body
    }

    // MARK: damage

    /// Loses the end, from any byte on.
    mutating func cut(using random: inout SeededGenerator) {
        guard !body.isEmpty else { return nonce ^= 1 }
        body.removeLast(1 + random.below(body.count))
    }

    /// Turns one bit over, anywhere.
    mutating func flip(using random: inout SeededGenerator) {
        guard !body.isEmpty, !random.chance(percent: 5) else { return nonce ^= 1 << UInt64(random.below(64)) }
        body[random.below(body.count)] ^= 1 << UInt8(random.below(8))
    }
}
