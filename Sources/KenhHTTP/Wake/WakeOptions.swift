/// How the centre tells devices that something moved.
public struct WakeOptions: Sendable {
    /// A comment goes into a stream this often, so that neither side, nor a proxy, takes it for dead.
    public var keepAliveSeconds = 30.0
    /// Of all devices; one more is refused with 503. A device has one stream.
    public var streamLimit = 10_000
    /// What devices are asked to wait before they come back.
    public var retryMilliseconds = 3000
    /// The same of those who were refused since there were too many.
    public var retryAfterSeconds = 60
    /// How long whoever does not read may hold up the end of a stream.
    public var endSeconds = 1.0

    public init() {}
}
