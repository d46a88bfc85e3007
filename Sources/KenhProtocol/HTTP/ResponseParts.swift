/// What a response's signature covers: its own status and content, and the request that it answers.
public struct ResponseParts: Sendable, Equatable {
    public var status: Int
    public var contentType: String
    /// Value of `Content-Digest`. That it fits the content is for ``ContentDigest`` to check.
    public var contentDigest: String
    public var requestMethod: String
    /// As it was in the request line.
    public var requestPath: String

    public init(
        status: Int, contentType: String, contentDigest: String, requestMethod: String, requestPath: String
    ) {
        self.status = status
        self.contentType = contentType
        self.contentDigest = contentDigest
        self.requestMethod = requestMethod
        self.requestPath = requestPath
    }

    var components: [SignatureComponent] {
        [
            SignatureComponent("@status", String(status)),
            SignatureComponent("content-type", contentType),
            SignatureComponent("content-digest", contentDigest),
            SignatureComponent("@method", requestMethod, isOfRequest: true),
            SignatureComponent("@path", requestPath.isEmpty ? "/" : requestPath, isOfRequest: true),
        ]
    }
}
