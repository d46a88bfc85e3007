/// One request out, one reply back: the cell's only way to the network.
///
/// A reply with any status, 500 included, is a reply; only what kept a whole reply from arriving is an error.
public protocol HTTPTransport: Sendable {
    /// Blocks until the reply is there or has failed; call it on a thread of the daemon's own, not in a `Task`.
    func send(_ call: HTTPCall) throws(TransportError) -> HTTPReply
}
