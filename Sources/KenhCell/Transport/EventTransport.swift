/// A way to the network for a reply that goes on for as long as both sides like.
public protocol EventTransport: Sendable {
    /// Blocks until the reply has ended or failed; call it on a thread of its own.
    ///
    /// - Parameters:
    ///   - stallMilliseconds: the exchange fails (`timedOut`) where nothing came for so long.
    ///   - take: gets the body of a reply with the status 200 and the type `text/event-stream`, piece by piece, on the
    ///     calling thread; such a reply is given back without it. False ends the exchange. A body of another reply is
    ///     given back.
    func stream(
        _ call: HTTPCall, stallMilliseconds: Int64, take: @escaping ([UInt8]) -> Bool
    ) throws(TransportError) -> HTTPReply
}
