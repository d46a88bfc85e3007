/// What one of several organisations may take of what they share. Beyond it the organisation is refused and the others are not.
public struct OrganisationShare: Sendable {
    /// Requests that are answered at the same time.
    public var requestLimit = 512
    /// Bodies that are held at the same time; the largest body that is allowed fits twice.
    public var bodyLimitBytes = 256 << 20
    /// Streams, of those that the process has for all.
    public var streamLimit = 1000
    /// For how long one that is not served any more is waited for before the others are seen to.
    public var patienceSeconds = 10.0

    public init() {}
}
