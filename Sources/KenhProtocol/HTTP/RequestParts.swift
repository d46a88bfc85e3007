/// What a request's signature covers; not the authority, so that a proxy may stand between. A field that the request
/// lacks counts as empty.
public struct RequestParts: Sendable, Equatable {
    /// The header field that carries ``organisation``.
    public static let organisationField = "kenh-organisation"

    /// Such as POST.
    public var method: String
    /// As it is in the request line, percent encoding and all.
    public var path: String
    /// With its leading `?`, or empty.
    public var query: String
    public var contentType: String
    /// Value of `Content-Digest`. That it fits the content is for ``ContentDigest`` to check.
    public var contentDigest: String
    /// The fingerprint of the organisation's root key in hex. That it is the receiver's is for the receiver to check.
    public var organisation: String

    public init(
        method: String, path: String, query: String, contentType: String, contentDigest: String, organisation: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.contentType = contentType
        self.contentDigest = contentDigest
        self.organisation = organisation
    }

    var components: [SignatureComponent] {
        [
            SignatureComponent("@method", method),
            SignatureComponent("@path", path.isEmpty ? "/" : path),
            // RFC 9421 §2.2.7: no query is signed as the question mark alone.
            SignatureComponent("@query", query.isEmpty ? "?" : query),
            SignatureComponent("content-type", contentType),
            SignatureComponent("content-digest", contentDigest),
            SignatureComponent(Self.organisationField, organisation),
        ]
    }
}
